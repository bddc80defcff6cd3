/**
 * Reports to Micrometer what happens to a server that is handed over. Only this package needs Micrometer on the class path, and
 * nothing in the library refers to it.
 */
package io.escrow.handover.micrometer;
