# what lib/codec builds
