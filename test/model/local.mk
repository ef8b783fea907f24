# what test/model builds
