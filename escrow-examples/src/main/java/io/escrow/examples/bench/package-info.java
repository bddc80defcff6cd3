/** Benchmarks, each with its load generator and the server that it measures. */
package io.escrow.examples.bench;
