/* Reports: the codec, and how they get from node to node and are forgotten. */
#include "tests/unit/raft/cluster.h"

static struct rlog_report some_report(void)
{
    return (struct rlog_report){.program = "0.1.0",
                                .log_version = 1,
                                .schema_version = 3,
                                .serves = true,
                                .gate = 4,
                                .alarms = 0x80000001,
                                .services_down = 2,
                                .sessions = 70000,
                                .applied_index = 1ull << 40,
                                .durable_index = 5,
                                .leads = true,
                                .role = RLOG_STANDBY,
                                .term = 9,
                                .last_index = 11,
                                .commit_index = 10};
}

static void assert_same(const struct rlog_report *a, const struct rlog_report *b)
{
    struct buf first = BUF_EMPTY;
    struct buf second = BUF_EMPTY;

    report_encode(a, &first);
    report_encode(b, &second);
    assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));
    buf_deinit(&first);
    buf_deinit(&second);
}

/* Goal: a report comes out as it went in, and nothing else is one.
 * Method: a round trip, every length that is cut short, and one change that makes it bad each. */
static void test_codec(void **state)
{
    const struct rlog_report report = some_report();
    struct rlog_report again = {0};
    struct buf bytes = BUF_EMPTY;
    uint8_t *data;

    (void)state;
    report_encode(&report, &bytes);
    assert_int_equal(report_decode(buf_slice(&bytes), &again), 0);
    assert_same(&again, &report);
    assert_int_equal(again.alarms, report.alarms);
    assert_int_equal(again.commit_index, report.commit_index);
    assert_string_equal(again.program, report.program);
    for (size_t len = 0; len < buf_len(&bytes); len++) {
        assert_int_equal(report_decode(slice_sub(buf_slice(&bytes), 0, len), &again),
                         ERR_MALFORMED);
    }
    data = bytes.data;
    data[0] = 0; /* no such version */
    assert_int_equal(report_decode(buf_slice(&bytes), &again), ERR_MALFORMED);
    data[0] = 1;
    data[2] = 4; /* no such role */
    assert_int_equal(report_decode(buf_slice(&bytes), &again), ERR_MALFORMED);
    data[2] = 0;
    data[buf_len(&bytes) - 1] = '\n';
    assert_int_equal(report_decode(buf_slice(&bytes), &again), ERR_MALFORMED);
    buf_deinit(&bytes);
}

/* Goal: what a newer program adds is passed over, what this one never writes behind the end is not.
 * Method: one byte more, in both versions; and more than any report has. */
static void test_newer_version(void **state)
{
    const struct rlog_report report = some_report();
    struct rlog_report again = {0};
    struct buf bytes = BUF_EMPTY;

    (void)state;
    report_encode(&report, &bytes);
    buf_append_u8(&bytes, 7);
    assert_int_equal(report_decode(buf_slice(&bytes), &again), ERR_MALFORMED);
    bytes.data[0] = 2;
    assert_int_equal(report_decode(buf_slice(&bytes), &again), 0);
    assert_same(&again, &report);
    while (buf_len(&bytes) <= 1024) {
        buf_append_u8(&bytes, 7);
    }
    assert_int_equal(report_decode(buf_slice(&bytes), &again), ERR_MALFORMED);
    buf_deinit(&bytes);
}

/* What node i last heard of another; program "" when it knows nothing. */
static struct rlog_report heard_of(struct cluster *cluster, size_t i, size_t other)
{
    struct rlog_heard heard[RLOG_REPORTS_MAX];
    size_t count = rlog_get_reports(cluster->replicas[i].rlog, heard);

    for (size_t k = 0; k < count; k++) {
        if (heard[k].node_id == other + 1) {
            return heard[k].report;
        }
    }
    return (struct rlog_report){0};
}

/* Goal: each node knows the others' reports, the part of the raft thread included, and forgets what
 * a node said when that is gone. Method: three nodes that call themselves by their numbers; one is
 * stopped, and started again with another name. */
static void test_all_hear_of_all(void **state)
{
    static struct cluster cluster;

    (void)state;
    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct rlog_report report = {.program = {(char)('a' + i)}, .leads = true};

        cluster_start(&cluster, i, true);
        rlog_set_report(cluster.replicas[i].rlog, &report);
    }
    UNTIL(cluster_leader(&cluster) >= 0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t other = 0; other < 3; other++) {
            UNTIL(heard_of(&cluster, i, other).program[0] == (char)('a' + other));
            UNTIL(heard_of(&cluster, i, other).role == RLOG_VOTER);
            UNTIL(heard_of(&cluster, i, other).last_index > 0);
            UNTIL(heard_of(&cluster, i, other).leads == ((int)other == cluster_leader(&cluster)));
        }
    }
    cluster_stop(&cluster, 2);
    UNTIL(heard_of(&cluster, 0, 2).program[0] == '\0');
    UNTIL(heard_of(&cluster, 1, 2).program[0] == '\0');
    cluster_start(&cluster, 2, true);
    rlog_set_report(cluster.replicas[2].rlog, &(struct rlog_report){.program = "z"});
    UNTIL(heard_of(&cluster, 0, 2).program[0] == 'z');
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_all_hear_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
