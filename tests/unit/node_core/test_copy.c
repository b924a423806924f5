/* Three nodes' cores in one process, without clients: what happens to one that is too far behind
 * for the log. */
#include "node/core/core.h"

#include "node/base/buf.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"
#include "tests/lib/loopback.h"
#include "tests/lib/pki/pki.h"
#include "tests/lib/scratch.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES            3
#define WAIT_MS          30000
#define SNAPSHOT_ENTRIES 16
/* More than the log keeps behind a snapshot (twice SNAPSHOT_ENTRIES). */
#define ENTRIES_TOO_MANY 120

struct node {
    uint32_t id;
    uint64_t raft_id;
    struct core *core;
    struct mailbox admin;
    _Atomic uint64_t secrets_version; /* what the node was handed last */
    struct pki_files files;
    char dir[SCRATCH_BYTES + 16];
    char address[32];
};

struct world {
    struct pki *pki;
    char dir[SCRATCH_BYTES];
    struct node nodes[NODES];
    struct rlog_member members[NODES];
    unsigned users; /* added so far */
    int saved_stderr;
};

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

static void empty_mailbox(struct mailbox *box)
{
    struct mail *mail = mailbox_drain(box);

    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);

        mail = mail->next;
        port_free(&message);
    }
}

/* What "musterctl cluster init" and "node join" write. */
static void write_identity(const struct node *node, bool bootstrap)
{
    char path[SCRATCH_BYTES + 32];
    FILE *file;

    assert_int_equal(mkdir(node->dir, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/node.json", node->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "{\"node\": %u, \"raft_id\": %llu, \"bootstrap\": %s}\n", node->id,
                  (unsigned long long)node->raft_id, bootstrap ? "true" : "false");
    (void)fclose(file);
}

static void note_secrets(void *ctx, const Pb__SecretsRow *secrets)
{
    struct node *node = ctx;

    node->secrets_version = secrets->version;
}

/* NULL: it does not open. */
static struct core *try_open(struct world *world, struct node *node)
{
    struct core *core = NULL;
    const struct core_config config = {.node_id = node->id,
                                       .name = "node",
                                       .data_dir = node->dir,
                                       .domain = "example.test",
                                       .link_bind = node->address,
                                       .link_address = node->address,
                                       .client_address = "",
                                       .ca_file = node->files.ca,
                                       .cert_file = node->files.cert,
                                       .key_file = node->files.key,
                                       .peers = world->members,
                                       .peer_count = NODES,
                                       .heartbeat_ms = 20,
                                       .election_ms = 300,
                                       .lease_ms = 1000,
                                       .mark_ms = 20,
                                       .scrub_s = 3600,
                                       .snapshot_entries = SNAPSHOT_ENTRIES,
                                       .map_bytes = 256 * 1024 * 1024,
                                       .unwritten_bytes_max = 64 * 1024 * 1024,
                                       .on_secrets = note_secrets,
                                       .ctx = node};

    return core_open(&config, &core) == 0 ? core : NULL;
}

static void open_node(struct world *world, struct node *node)
{
    node->secrets_version = 0;
    node->core = try_open(world, node);
    assert_non_null(node->core);
    mailbox_init(&node->admin, wake_nobody, NULL);
    core_run(node->core, NULL, 0, &node->admin);
}

static void close_node(struct node *node)
{
    core_stop(&node->core);
    empty_mailbox(&node->admin);
    mailbox_deinit(&node->admin);
}

static bool wait_for(bool (*condition)(void *ctx), void *ctx)
{
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;

    while (!condition(ctx)) {
        if (clock_mono_ms() > end_ms) {
            return false;
        }
        (void)usleep(2000);
    }
    return true;
}

static bool has_incarnation(void *ctx)
{
    struct node *node = ctx;
    struct core_status status;

    core_get_status(node->core, &status);
    return status.incarnation != 0;
}

/* Add a user at a node and wait until that is applied there: each becomes an entry of its own, and
 * there is time for marks between them, after which the log is cut. */
static void add_user(struct world *world, struct node *node)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__UserSet set = PB__USER_SET__INIT;
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;
    struct rlog_status status;
    uint8_t bytes[128];
    char user[32];
    int rc;

    (void)snprintf(user, sizeof(user), "user%u@example.test", world->users++);
    set.user = user;
    set.create = true;
    command.body_case = PB__COMMAND__BODY_USER_SET;
    command.user_set = &set;
    assert_true(pb__command__get_packed_size(&command) <= sizeof(bytes));
    do {
        rc = rlog_submit(core_log(node->core),
                         slice_make(bytes, pb__command__pack(&command, bytes)));
        assert_true(rc == 0 || clock_mono_ms() < end_ms);
    } while (rc != 0 && usleep(1000) == 0);
    do {
        (void)usleep(1500);
        rlog_get_status(core_log(node->core), &status);
        assert_true(clock_mono_ms() < end_ms);
    } while (status.outstanding > 0);
    empty_mailbox(&node->admin);
}

static void add_users(struct world *world, struct node *node, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_user(world, node);
    }
}

/* ---------------------------------------------------------------- comparing */

struct look {
    struct core_job job;
    struct core_hash hash;
    uint64_t applied;
    unsigned users;
};

static bool has_user(struct core *core, unsigned number)
{
    char user[32];

    (void)snprintf(user, sizeof(user), "user%u@example.test", number);
    return state_account(core_state(core), core_arena(core), user) != NULL;
}

static void look(struct core_job *job, struct core *core)
{
    struct look *result = CONTAINER_OF(job, struct look, job);

    result->hash = core_hash(core);
    result->applied = state_applied_index(core_state(core));
    while (has_user(core, result->users)) {
        result->users++;
    }
}

static bool took_job(struct mailbox *box)
{
    struct mail *mail = mailbox_drain(box);
    bool took = false;

    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);

        mail = mail->next;
        took = took || message->kind == PORT_JOB;
        port_free(&message);
    }
    return took;
}

static struct look look_at(struct node *node)
{
    struct look result = {.job.run = look};
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;

    core_post_job(node->core, &result.job);
    while (!took_job(&node->admin)) {
        assert_true(clock_mono_ms() < end_ms);
        (void)usleep(1000);
    }
    return result;
}

static bool all_equal(void *ctx)
{
    struct world *world = ctx;
    struct look looks[NODES];

    for (size_t i = 0; i < NODES; i++) {
        looks[i] = look_at(&world->nodes[i]);
        if (!looks[i].hash.is_current || looks[i].users != world->users ||
            looks[i].hash.mark_index != looks[0].hash.mark_index) {
            return false;
        }
    }
    for (size_t i = 1; i < NODES; i++) {
        assert_true(looks[i].hash.hash == looks[0].hash.hash);
    }
    return true;
}

/* ---------------------------------------------------------------- the log lines */

/* Lines go to a file meanwhile, which tells whether a copy was made. */
static void redirect_lines(struct world *world)
{
    char path[SCRATCH_BYTES + 16];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/lines", world->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fflush(stderr);
    world->saved_stderr = dup(STDERR_FILENO);
    (void)dup2(fileno(file), STDERR_FILENO);
    (void)fclose(file);
}

static unsigned count_lines(const struct world *world, const char *event)
{
    char path[SCRATCH_BYTES + 16];
    char line[1024];
    unsigned count = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/lines", world->dir);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, event) != NULL;
    }
    (void)fclose(file);
    return count;
}

static void restore_lines(struct world *world)
{
    char line[1024];
    char path[SCRATCH_BYTES + 16];
    FILE *file;

    (void)dup2(world->saved_stderr, STDERR_FILENO);
    (void)close(world->saved_stderr);
    (void)snprintf(path, sizeof(path), "%s/lines", world->dir);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)fputs(line, stderr);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* ---------------------------------------------------------------- fixture */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int setup(void **state)
{
    struct world *world = mem_zalloc(sizeof(*world));

    (void)signal(SIGPIPE, SIG_IGN);
    world->pki = pki_new();
    scratch_folder(world->dir, "core");
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];
        char name[16];

        node->id = i + 1;
        node->raft_id = (uint64_t)node->id << 32 | 1;
        (void)snprintf(name, sizeof(name), "node-%u", node->id);
        pki_issue(world->pki, 0, name, NULL, &node->files);
        (void)snprintf(node->dir, sizeof(node->dir), "%s/%u", world->dir, node->id);
        loopback_next(node->address, sizeof(node->address));
        world->members[i] =
            (struct rlog_member){.raft_id = node->raft_id, .node_id = node->id, .role = RLOG_VOTER};
        (void)strcpy(world->members[i].address, node->address);
    }
    redirect_lines(world);
    for (size_t i = 0; i < NODES; i++) {
        write_identity(&world->nodes[i], true);
        open_node(world, &world->nodes[i]);
    }
    *state = world;
    for (size_t i = 0; i < NODES; i++) {
        assert_true(wait_for(has_incarnation, &world->nodes[i]));
    }
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < NODES; i++) {
        if (world->nodes[i].core != NULL) {
            close_node(&world->nodes[i]);
        }
    }
    restore_lines(world);
    remove_tree(world->dir);
    pki_free(&world->pki);
    mem_free(&world);
    return 0;
}

/* ---------------------------------------------------------------- tests */

/* Goal: a node that was down for longer than the log reaches back takes a copy and is equal to the
 * others afterwards, under load, and lives under a new incarnation.
 * Method: snapshots every few entries; node 3 is stopped while many are made. */
static void test_far_behind(void **state)
{
    struct world *world = *state;
    struct node *behind = &world->nodes[2];

    close_node(behind);
    add_users(world, &world->nodes[0], ENTRIES_TOO_MANY);
    open_node(world, behind);
    add_users(world, &world->nodes[1], 50);
    assert_true(wait_for(has_incarnation, behind));
    assert_true(wait_for(all_equal, world));
    assert_true(count_lines(world, "snapshot.fetched") >= 1);
    add_users(world, behind, 5); /* it serves again */
    assert_true(wait_for(all_equal, world));
}

/* Goal: a node that is a little behind takes what it missed from the log, without a copy. */
static void test_little_behind(void **state)
{
    struct world *world = *state;

    close_node(&world->nodes[2]);
    add_users(world, &world->nodes[0], 3);
    open_node(world, &world->nodes[2]);
    assert_true(wait_for(all_equal, world));
    assert_int_equal(count_lines(world, "snapshot.fetching"), 0);
}

/* Goal: a node that is stopped at any moment of catching up does not come to harm. Method: start
 * and stop it after different times, the last time to the end. */
static void test_interrupted(void **state)
{
    struct world *world = *state;
    struct node *behind = &world->nodes[2];

    close_node(behind);
    for (unsigned i = 0; i < 12; i++) {
        add_users(world, &world->nodes[0], ENTRIES_TOO_MANY / 3);
        open_node(world, behind);
        (void)usleep(i * 10 * 1000);
        close_node(behind);
    }
    open_node(world, behind);
    assert_true(wait_for(all_equal, world));
}

/* A file of libraft in the folder of a node's log. */
static void write_log_file(const struct node *node, const char *name, const uint8_t *bytes,
                           size_t len)
{
    char path[SCRATCH_BYTES + 64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/raft/%s", node->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    (void)fclose(file);
}

/* Goal: a founder that died during its first start founds its cluster all the same.
 * Method: what libraft leaves when it dies after its metadata, and within the first segment; the
 * node starts with that, and has members; once it has begun, a log without members is refused. */
static void test_founder_died_at_first(void **state)
{
    static const uint8_t metadata[32] = {[0] = 1, [8] = 1, [16] = 1};
    static const char *const files[] = {"metadata1", "0000000000000001-0000000000000001"};
    struct world *world = *state;
    struct node *founder = &world->nodes[2];
    char path[SCRATCH_BYTES + 64];
    struct core *core;

    for (size_t count = 1; count <= ARRAY_COUNT(files); count++) {
        close_node(founder);
        remove_tree(founder->dir);
        write_identity(founder, true);
        (void)snprintf(path, sizeof(path), "%s/raft", founder->dir);
        assert_int_equal(mkdir(path, 0700), 0);
        for (size_t i = 0; i < count; i++) {
            write_log_file(founder, files[i], metadata, i == 0 ? sizeof(metadata) : 5);
        }
        open_node(world, founder);
        assert_true(wait_for(has_incarnation, founder));
    }
    close_node(founder);
    (void)snprintf(path, sizeof(path), "%s/raft", founder->dir);
    remove_tree(path);
    assert_int_equal(mkdir(path, 0700), 0);
    write_log_file(founder, "metadata1", metadata, sizeof(metadata));
    write_log_file(founder, "membership", (const uint8_t *)"12884901889\n", 12);
    core = try_open(world, founder);
    assert_null(core);
    assert_int_equal(count_lines(world, "raft.no_members"), 1);
    founder->core = NULL;
}

static uint64_t incarnation_of(struct node *node)
{
    struct core_status status;

    core_get_status(node->core, &status);
    return status.incarnation;
}

/* Goal: news of the silence of a life that is over already ends no later one.
 * Method: a node lives anew before the state thread of the leader hears that its last life was
 * silent; all nodes are told, for one of them leads. */
static void test_late_news_of_silence(void **state)
{
    struct world *world = *state;
    struct node *node = &world->nodes[2];
    uint64_t before = incarnation_of(node);
    uint64_t after;

    close_node(node);
    open_node(world, node);
    assert_true(wait_for(has_incarnation, node));
    after = incarnation_of(node);
    assert_true(after > before);
    for (size_t i = 0; i < NODES; i++) {
        struct note *note = note_new(NOTE_SILENT);

        note->node = node->id;
        note->incarnation = before;
        inbox_post_take(&world->nodes[i].core->inbox, note);
    }
    add_users(world, &world->nodes[0], 20);
    assert_true(wait_for(all_equal, world));
    assert_int_equal(incarnation_of(node), after);
}

/* Goal: the sessions of a node that takes a copy are no ghosts meanwhile: its life ends in the log,
 * not only when the copy is there (P5).
 * Method: a follower that lives is told to take one; the leader ends its life before it lives anew.
 */
static void test_copy_ends_life(void **state)
{
    struct world *world = *state;
    struct note *note = note_new(NOTE_COPY);
    struct rlog_status log;
    struct node *node;

    add_users(world, &world->nodes[0], 5);
    assert_true(wait_for(all_equal, world)); /* the links are up */
    rlog_get_status(core_log(world->nodes[0].core), &log);
    assert_int_not_equal(log.leader_node, 0);
    node = &world->nodes[log.leader_node % NODES];
    note->node = log.leader_node;
    note->index = 1;
    inbox_post_take(&node->core->inbox, note);
    while (count_lines(world, "snapshot.fetch") < 2) { /* fetching, fetched or failed */
        (void)usleep(1000);
    }
    assert_true(wait_for(has_incarnation, node));
    assert_int_equal(count_lines(world, "core.node_presumed_dead"), 1);
    add_users(world, node, 5);
    assert_true(wait_for(all_equal, world));
}

struct change {
    pthread_mutex_t mutex;
    bool done;
    int status;
};

static void on_changed(void *ctx, int status)
{
    struct change *change = ctx;

    (void)pthread_mutex_lock(&change->mutex);
    change->done = true;
    change->status = status;
    (void)pthread_mutex_unlock(&change->mutex);
}

static bool is_changed(void *ctx)
{
    struct change *change = ctx;
    bool done;

    (void)pthread_mutex_lock(&change->mutex);
    done = change->done;
    (void)pthread_mutex_unlock(&change->mutex);
    return done;
}

static void expect_changed(struct change *change)
{
    assert_true(wait_for(is_changed, change));
    assert_int_equal(change->status, 0);
    change->done = false;
}

/* Goal: a node whose data is lost comes back under a new raft id: removed, added as a spare, copied
 * to as a standby, then a voter (DESIGN 4), while the others go on. It is
 * handed the secrets of the cluster.
 * Method: its directory is removed after more entries than the log keeps. */
static void test_wiped(void **state)
{
    struct world *world = *state;
    struct node *wiped = &world->nodes[2];
    struct rlog *log = core_log(world->nodes[0].core);
    struct rlog_member member = world->members[2];
    struct change change = {.done = false};

    (void)pthread_mutex_init(&change.mutex, NULL);
    add_users(world, &world->nodes[0], ENTRIES_TOO_MANY);
    close_node(wiped);
    remove_tree(wiped->dir);
    rlog_member_remove(log, wiped->raft_id, on_changed, &change);
    expect_changed(&change);

    wiped->raft_id++;
    write_identity(wiped, false);
    open_node(world, wiped);
    member.raft_id = wiped->raft_id;
    rlog_member_add(log, &member, on_changed, &change);
    expect_changed(&change);
    rlog_member_assign(log, member.raft_id, RLOG_STANDBY, on_changed, &change);
    expect_changed(&change);
    add_users(world, &world->nodes[1], 40);
    assert_true(wait_for(all_equal, world));
    assert_true(count_lines(world, "snapshot.fetched") >= 1);
    rlog_member_assign(log, member.raft_id, RLOG_VOTER, on_changed, &change);
    expect_changed(&change);
    assert_true(wait_for(has_incarnation, wiped));
    add_users(world, wiped, 5);
    assert_true(wait_for(all_equal, world));
    (void)pthread_mutex_destroy(&change.mutex);
    assert_true(world->nodes[2].secrets_version != 0); /* they came with the copy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_little_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_far_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_news_of_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_ends_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_founder_died_at_first, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
