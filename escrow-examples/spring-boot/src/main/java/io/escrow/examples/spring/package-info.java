/** A server of Spring Boot that is handed over by the starter, without any code for that. */
package io.escrow.examples.spring;
