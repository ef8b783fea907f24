# what test/vm builds
