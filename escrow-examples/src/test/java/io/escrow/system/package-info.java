/**
 * Tests of the whole system: servers and daemons as processes of their own, which are handed over, ended and killed, and
 * clients that miss nothing meanwhile. The examples are such servers, so that their tests are here, too.
 *
 * <p>Tests of the library alone are in escrow-netty, with an escrow in the process of the test. Tests of the daemon and
 * of its command line, with processes or without, are in escrow-daemon.
 */
package io.escrow.system;
