# what test/unit builds
