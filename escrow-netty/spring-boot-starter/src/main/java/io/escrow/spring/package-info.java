/**
 * Hands over servers of Spring Boot (WebFlux on Reactor Netty) that have {@code escrow.path} among their properties, without
 * any code. Uses {@code io.escrow.handover} and {@code io.escrow.reactor}.
 */
package io.escrow.spring;
