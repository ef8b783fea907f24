# what daemons/dlmirrord builds
