# what lib/client builds
