/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main() of a fuzz target in a build without libFuzzer: runs the target over its corpus, or over
 * the files named, so that `make check` keeps every input that ever mattered working, with any
 * compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "test/fuzz/fuzz.h"

#define INPUT_MAX (1U << 20)

static bool replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *buffer = malloc(INPUT_MAX);
	uint8_t *exact = NULL;
	size_t size = 0;

	if (file == NULL || buffer == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	size = fread(buffer, 1, INPUT_MAX, file);
	/* In memory of exactly its size, so that a sanitizer sees a read behind it. */
	exact = realloc(buffer, size > 0 ? size : 1);
	if (exact == NULL)
		goto out;
	buffer = exact;
	(void)LLVMFuzzerTestOneInput(exact, size);
out:
	free(buffer);
	if (file != NULL)
		(void)fclose(file);
	return exact != NULL;
}

/* Returns the number of inputs, or -1. */
static int replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	char file[PATH_MAX];
	struct stat status;
	int count = 0;

	if (directory == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (count >= 0 && (entry = readdir(directory)) != NULL) {
		int length = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

		if (length < (int)sizeof(file) && stat(file, &status) == 0 &&
		    S_ISREG(status.st_mode))
			count = replay_file(file) ? count + 1 : -1;
	}
	(void)closedir(directory);
	return count;
}

int main(int argc, char **argv)
{
	const char *source = getenv("top_srcdir");
	const char *slash = strrchr(argv[0], '/');
	const char *name = strstr(slash != NULL ? slash : argv[0], "fuzz_");
	char corpus[PATH_MAX];
	int count = 0;

	for (int i = 1; i < argc; i++) {
		if (!replay_file(argv[i]))
			return 1;
		count++;
	}
	if (argc == 1 && name != NULL) {
		(void)snprintf(corpus, sizeof(corpus), "%s/test/fuzz/corpus/%s",
			       source != NULL ? source : ".", name + strlen("fuzz_"));
		count = replay_directory(corpus);
	}
	printf("%d inputs\n", count);
	return count > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
