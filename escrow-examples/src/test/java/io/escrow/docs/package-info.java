/** Compiles the Java code that the documentation shows, and runs the examples that are a whole job. */
package io.escrow.docs;
