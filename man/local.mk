# what man builds
