package io.escrow.daemon.store;

/** Is told of each change of a store, when it is done. Called on the daemon's event loop. */
public interface StoreListener {

    /** Does nothing. */
    StoreListener NONE = new StoreListener() {
        @Override
        public void filled(int tag, int index, StoredSlot slot) {
            // Nobody wants to know.
        }

        @Override
        public void updated(int tag, int index, StoredSlot slot) {
            // Nobody wants to know.
        }

        @Override
        public void emptied(int tag, int index) {
            // Nobody wants to know.
        }

        @Override
        public void cleared() {
            // Nobody wants to know.
        }
    };

    /** A slot was filled. The store owns its descriptor. */
    void filled(int tag, int index, StoredSlot slot);

    /** The payload or the farewell of a slot was replaced. */
    void updated(int tag, int index, StoredSlot slot);

    /** A slot was emptied. */
    void emptied(int tag, int index);

    /** Every slot was emptied. */
    void cleared();
}
