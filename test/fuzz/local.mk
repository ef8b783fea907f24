# what test/fuzz builds
