/** Starts processes for the demo and the benchmarks, and ends them. */
package io.escrow.examples.process;
