/**
 * Seals what servers store with AES-256-GCM, so that whoever reads slots learns nothing but names and sizes.
 *
 * <p>Uses the values and the records.
 */
package io.escrow.handover.seal;
