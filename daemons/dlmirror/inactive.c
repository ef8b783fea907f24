// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemons/dlmirror/inactive.h"

#include <string.h>

static bool is_active(const struct inactive *list, const char *uuid)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->active[i].uuid, uuid) == 0)
			return true;
	return false;
}

static int look(const char *name, const void *input)
{
	const struct inactive *list = input;
	struct mirror_file file;
	int code = config_load(name, &file);

	if (code == UI_OK && !is_active(list, file.uuid))
		list->tell(list, name, &file);
	return code;
}

int inactive_each(const struct inactive *list)
{
	return config_each(NULL, look, list);
}

static void json_row(const struct inactive *list, const char *name, const struct mirror_file *file)
{
	struct libscols_line *row = ui_row(list->table, NULL);

	ui_cell(row, 0, "%s", name);
	ui_cell(row, 1, "%s", file->uuid);
}

int inactive_json(const struct dlmirror_mirror *active, size_t count, struct libscols_table **ret)
{
	static const struct ui_column columns[] = {{"name", 0, SCOLS_JSON_STRING},
						   {"uuid", 0, SCOLS_JSON_STRING}};
	struct inactive list = {.active = active, .count = count, .tell = json_row};

	list.table = ui_table("inactive", columns, 2, true);
	*ret = list.table;
	return inactive_each(&list);
}
