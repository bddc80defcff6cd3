/** Clients of an echo server that detect every lost, repeated or wrong byte. */
package io.escrow.examples.records;
