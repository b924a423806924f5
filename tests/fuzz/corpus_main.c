/* Runs a fuzz target over every file of the folder given as argument: the corpus as a plain test,
 * with any compiler. */
#include "node/base/buf.h"

#include <dirent.h>
#include <stdio.h>

#define INPUT_BYTES_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run_file(const char *dir, const char *name)
{
    struct buf bytes = BUF_EMPTY;
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    buf_commit(&bytes, fread(buf_reserve(&bytes, INPUT_BYTES_MAX), 1, INPUT_BYTES_MAX, file));
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes.data, buf_len(&bytes));
    buf_deinit(&bytes);
    return true;
}

int main(int argc, char **argv)
{
    const struct dirent *entry;
    unsigned count = 0;
    DIR *dir;

    if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            if (!run_file(argv[1], entry->d_name)) {
                return 2;
            }
            count++;
        }
    }
    (void)closedir(dir);
    (void)printf("%u inputs\n", count);
    return count == 0 ? 2 : 0; /* an empty corpus proves nothing */
}
