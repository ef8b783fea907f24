# what test/bench builds
