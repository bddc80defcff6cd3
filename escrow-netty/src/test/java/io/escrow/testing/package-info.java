/** What tests of every module share. */
package io.escrow.testing;
