/* musterctl cluster restore: a backup becomes the store of a node that founds a new cluster. */
#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/jid.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "storage/kv/kv.h"
#include "storage/state/anew.h"
#include "tools/ctl/backup_check.h"
#include "tools/ctl/founder.h"
#include "tools/ctl/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COPY_BYTES          (256 * 1024)
#define UNWRITTEN_BYTES_MAX (64 * 1024 * 1024)
#define PRESSURE_POLL_US    10000
#define STORE_FILE          "data.mdb"
#define LOCK_FILE           "lock.mdb"

struct restore {
    const char *path; /* of the backup */
    struct backup backup;
    struct place *place;
    struct buf dir; /* of the store, once it is complete */
    struct buf new_dir;
    int new_dir_fd;
    struct buf build_dir; /* the same, by what is open */
    struct buf store_file;
    struct setup setup;
    char domain[JID_PART_BYTES_MAX + 1]; /* setup's */
    size_t session_count;
    atomic_int status; /* of what was written */
};

/* ---- the store, as it is in the backup */

static int copy_part(int from, int to, uint8_t *part, size_t len)
{
    ssize_t count = read(from, part, len);
    ssize_t written = 0;

    while (count > 0 && written < count) {
        ssize_t more = write(to, part + written, (size_t)(count - written));

        if (more < 0 && errno != EINTR) {
            return -1;
        }
        written += more > 0 ? more : 0;
    }
    return (int)count;
}

static int copy_bytes(int from, int to, uint64_t left)
{
    uint8_t *part = mem_alloc(COPY_BYTES);
    int count = 1;

    while (left > 0 && count > 0) {
        count = copy_part(from, to, part, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
        left -= count > 0 ? (uint64_t)count : 0;
    }
    mem_free(&part);
    return left == 0 && fsync(to) == 0 ? 0 : ERR_IO;
}

static int copy_store(struct restore *restore)
{
    const char *to_path = buf_text(&restore->store_file);
    int from = open(restore->path, O_RDONLY | O_CLOEXEC);
    int to = -1;
    int rc;

    if (from < 0) {
        return files_fail(restore->path);
    }
    rc = files_create_private(to_path, &to);
    if (rc == 0) {
        rc = copy_bytes(from, to, restore->backup.footer.store_bytes);
        rc = rc == 0 ? 0 : files_fail(buf_text(&restore->new_dir));
        (void)close(to);
    }
    (void)close(from);
    return rc == 0 ? files_sync_parent(to_path) : rc;
}

/* ---- the store, as it begins */

static void on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    struct restore *restore = ctx;

    (void)mark_index;
    (void)hash;
    if (status != 0) {
        atomic_store(&restore->status, status);
    }
}

static int run_steps(struct restore *restore, struct kv *kv, struct anew *anew)
{
    uint64_t index;
    uint64_t term;
    int rc = 1;

    kv_applied(kv, &index, &term);
    while (rc == 1 && atomic_load(&restore->status) == 0) {
        rc = anew_step(anew, ++index, term);
        if (rc >= 0) {
            kv_close_window(kv, index, term);
        }
        while (kv_pressure(kv) && atomic_load(&restore->status) == 0) {
            (void)usleep(PRESSURE_POLL_US);
        }
    }
    restore->session_count = anew->session_count;
    return rc;
}

static int change_store(struct restore *restore)
{
    struct kv_config config = {.dir = buf_text(&restore->build_dir),
                               .unwritten_bytes_max = UNWRITTEN_BYTES_MAX,
                               .on_durable = on_durable,
                               .ctx = restore};
    struct anew_secrets secrets;
    struct state *state;
    struct anew anew;
    struct kv *kv = NULL;
    int rc;

    state_describe(&config);
    rc = kv_open(&config, &kv);
    if (rc != 0) {
        return rc; /* logged, which is stderr */
    }
    random_fill((uint8_t *)&secrets, sizeof(secrets));
    state = state_new(kv);
    anew_init(&anew, state, &secrets, clock_wall_ms());
    rc = run_steps(restore, kv, &anew);
    anew_deinit(&anew);
    state_free(&state);
    kv_close(&kv);
    explicit_bzero(&secrets, sizeof(secrets));
    rc = rc == 0 ? atomic_load(&restore->status) : rc;
    if (rc != 0) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", buf_text(&restore->dir), err_text(rc));
    }
    return rc;
}

/* The data directory is the node's user's, who could put a link in place of any name in it, for
 * root to write to. So the store is made in a folder where that user can do nothing, and which goes
 * by what is open, not by its name. */
static int open_new_dir(struct restore *restore)
{
    int rc = files_create_dir(buf_text(&restore->new_dir), &restore->new_dir_fd);

    if (rc == 0) {
        buf_printf(&restore->build_dir, "/proc/self/fd/%d", restore->new_dir_fd);
        buf_printf(&restore->store_file, "%s/" STORE_FILE, buf_text(&restore->build_dir));
    }
    return rc;
}

static int give_name(struct restore *restore)
{
    const char *dir = buf_text(&restore->dir);
    int rc = files_give_dir(restore->new_dir_fd, dir);

    if (rc == 0 && rename(buf_text(&restore->new_dir), dir) != 0) {
        rc = files_fail(dir);
    }
    return rc == 0 ? files_sync_parent(dir) : rc;
}

static int make_store(struct restore *restore)
{
    struct kv_mark mark;
    uint32_t schema = 0;
    int rc = open_new_dir(restore);

    if (rc == 0) {
        rc = copy_store(restore);
    }
    if (rc == 0) {
        rc = change_store(restore);
    }
    if (rc == 0) {
        rc = backup_check_store(buf_text(&restore->store_file), &mark, &schema);
    }
    if (rc == 0) { /* it is of who runs this, not of the node */
        (void)unlinkat(restore->new_dir_fd, LOCK_FILE, 0);
        rc = give_name(restore);
    }
    return rc;
}

static void remove_store(struct restore *restore)
{
    if (restore->new_dir_fd >= 0) {
        (void)unlinkat(restore->new_dir_fd, STORE_FILE, 0);
        (void)unlinkat(restore->new_dir_fd, LOCK_FILE, 0);
        (void)rmdir(buf_text(&restore->new_dir));
        (void)rmdir(buf_text(&restore->dir));
    }
}

/* ---- the node */

static int check_no_conf(struct place *place)
{
    if (access(place_conf_path(place, CONF_FILE), F_OK) == 0) {
        errno = EEXIST;
        return files_fail(place_conf_path(place, CONF_FILE));
    }
    return 0;
}

/* The node has no identity, and so does not start, before all else is there. */
static int make_node(struct restore *restore)
{
    int rc = place_check_no_data(restore->place);

    if (rc == 0) {
        rc = check_no_conf(restore->place);
    }
    if (rc == 0) {
        rc = place_make_dirs(restore->place);
    }
    if (rc != 0) {
        return rc;
    }
    rc = make_store(restore);
    if (rc == 0) {
        rc = founder_make(restore->place, &restore->setup);
    }
    if (rc == 0) {
        rc = founder_name(restore->place, &restore->setup);
    }
    if (rc != 0) {
        remove_store(restore);
    }
    return rc;
}

static void print_restored(const struct options *options, struct restore *restore)
{
    const struct place *place = restore->place;

    if (options->json) {
        print_json_take(json_pack("{s:i,s:s,s:s,s:s,s:s,s:I}", "node", FOUNDER_NODE, "dir",
                                  place->conf_dir, "data", place->data_dir, "cluster",
                                  restore->setup.cluster, "domain", restore->setup.domain,
                                  "sessions_ended", (json_int_t)restore->session_count));
    } else {
        (void)printf("%zu sessions were ended: what waited for them waits for their users.\n",
                     restore->session_count);
        founder_print_next(restore->place, &restore->setup);
    }
}

static int restore_backup(const struct options *options, struct restore *restore)
{
    const struct backup_manifest *manifest = &restore->backup.manifest;
    int rc;

    restore->setup.cluster = options->name != NULL ? options->name : manifest->cluster;
    restore->setup.domain = restore->domain;
    if (!founder_read_domain(options->domain != NULL ? options->domain : manifest->domain,
                             restore->domain) ||
        !founder_is_sound(&restore->setup)) {
        return EXIT_USAGE;
    }
    rc = make_node(restore);
    if (rc == 0) {
        print_restored(options, restore);
    }
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}

int run_cluster_restore(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    struct restore restore = {.path = arguments[0],
                              .place = &place,
                              .new_dir_fd = -1,
                              .setup = {.node = FOUNDER_NODE, .address = arguments[1]}};
    int code = EXIT_REFUSED;

    (void)count;
    log_set_level(LOG_WARN);
    buf_printf(&restore.dir, "%s/state", place.data_dir);
    buf_printf(&restore.new_dir, "%s/state.new", place.data_dir);
    if (backup_check(restore.path, &restore.backup) == 0) {
        code = restore_backup(options, &restore);
        backup_deinit(&restore.backup);
    }
    if (restore.new_dir_fd >= 0) {
        (void)close(restore.new_dir_fd);
    }
    buf_deinit(&restore.dir);
    buf_deinit(&restore.new_dir);
    buf_deinit(&restore.build_dir);
    buf_deinit(&restore.store_file);
    buf_deinit(&place.path);
    return code;
}
