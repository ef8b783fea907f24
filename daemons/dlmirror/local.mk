# what daemons/dlmirror builds
