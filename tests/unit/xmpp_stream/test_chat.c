/* Streams, meaning and replicated state together: two clients talk over two nodes while connections
 * break and nodes die, in an order drawn from a seed. Nothing may be lost, repeated or reordered
 * (P1, P2), nobody may be seen to leave (P4), presence goes forward, whether shown to all or to the
 * other alone, and in the end each sees the other's last one.
 */
#include "node/base/log.h"
#include "tests/unit/xmpp_stream/town.h"

#define SEEDS 60
#define STEPS 4000

static void judge(const struct town *town, const struct chat_client *client,
                  const struct chat_client *peer, uint64_t seed)
{
    if (client->failed || client->faults > 0 || client->unavailable > 0 ||
        client->messages_received != peer->messages_sent ||
        client->status_seen != peer->status_sent || client->unacked.count > 0) {
        fail_msg(
            "seed %llu, %s: failed %d, faults %u, unavailable %u, messages %u of %u, status %u "
            "of %u, unacked %zu; kills %u",
            (unsigned long long)seed, client->name, client->failed, client->faults,
            client->unavailable, client->messages_received, peer->messages_sent,
            client->status_seen, peer->status_sent, client->unacked.count, town->kills);
    }
}

static void test_chat(void **state)
{
    uint32_t messages = 0;
    uint32_t resumes = 0;
    uint32_t resends = 0;
    uint32_t kills = 0;
    (void)state;

    log_set_level(LOG_ERROR);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct town town;

        town_open(&town, seed);
        town_befriend(&town);
        town.has_faults = true;
        for (int i = 0; i < STEPS; i++) {
            town_work(&town);
            if (town_draw(&town, 10) == 0) {
                town_talk(&town);
            }
            town_lose_patience(&town, (int)town_draw(&town, CLIENTS));
            if (town_draw(&town, 50) == 0) {
                town_tick(&town, town_draw(&town, 1500));
            }
            if (town_draw(&town, 200) == 0) {
                town_fail_something(&town);
            }
        }
        town.has_faults = false;
        for (int i = 0; i < CLIENTS; i++) {
            town_settle(&town);
            if (town.clients[i].ready) {
                chat_client_ask(&town.clients[i]);
            }
        }
        town_settle(&town);
        judge(&town, &town.clients[0], &town.clients[1], seed);
        judge(&town, &town.clients[1], &town.clients[0], seed);
        messages += town.clients[0].messages_sent + town.clients[1].messages_sent;
        resumes += town.clients[0].resumes + town.clients[1].resumes;
        resends += town.clients[0].resends + town.clients[1].resends;
        kills += town.kills;
        town_close(&town);
    }
    print_message("%u messages, %u kills, %u resumes, %u stanzas sent again\n", messages, kills,
                  resumes, resends);
}

#define WINDOW_MS (600 * 1000) /* of a resume, in the usual dialogue */

/* Some come back then, others later. */
static void go_away(struct town *town)
{
    for (int i = 0; i < CLIENTS; i++) {
        town->is_away[i] = town_draw(town, 3) == 0;
    }
    town_pass_time(town, town_draw(town, WINDOW_MS * 3 / 2));
}

/* One leaves for good while the other is away, too, and comes back: it must not see a ghost. */
static void see_off(struct town *town, uint64_t seed)
{
    town->has_faults = false;
    town->is_away[0] = false;
    town->is_away[1] = false;
    town_settle(town);
    town->is_away[0] = true;
    town_pass_time(town, WINDOW_MS - 30 * 1000);
    town_settle(town);
    town_pass_time(town, WINDOW_MS / 2);
    town_settle(town);
    if (town->clients[1].is_peer_there) {
        fail_msg("seed %llu: %s still sees %s", (unsigned long long)seed, town->clients[1].name,
                 town->clients[0].name);
    }
}

/* At last both are there and show themselves once more. */
static void come_together(struct town *town)
{
    town->is_away[0] = false;
    town_settle(town);
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(town->clients[i].ready);
        chat_client_show(&town->clients[i]);
        chat_client_say(&town->clients[i]);
    }
    town_settle(town);
    town_expire(town);
    town_settle(town);
}

static void judge_ends(const struct town *town, int client, uint64_t seed)
{
    const struct chat_client *chat = &town->clients[client];
    const struct chat_client *peer = &town->clients[1 - client];

    if (chat->failed || chat->faults > 0 || !chat->is_peer_there ||
        chat->unavailable > town->ends[1 - client] ||
        chat->messages_received != peer->messages_sent || chat->status_seen != peer->status_sent) {
        fail_msg("seed %llu, %s: failed %d, faults %u, there %d, unavailable %u of %u, messages %u "
                 "of %u, status %u of %u",
                 (unsigned long long)seed, chat->name, chat->failed, chat->faults,
                 chat->is_peer_there, chat->unavailable, town->ends[1 - client],
                 chat->messages_received, peer->messages_sent, chat->status_seen,
                 peer->status_sent);
    }
}

/* The same with sessions that end: connections break for longer than the resume window, clients are
 * started anew and bind their address again. What was acked arrives, once and in order but for what
 * a client's ack did not cover when it was started anew; nobody is seen to leave more often than a
 * deadline said so, and in the end each is seen as it is. */
static void test_sessions_end(void **state)
{
    uint32_t ends = 0;
    uint32_t restarts = 0;
    uint32_t resumes = 0;
    (void)state;

    log_set_level(LOG_ERROR);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct town town;

        town_open(&town, seed);
        town_befriend(&town);
        town.clients[0].partner = &town.clients[1];
        town.clients[1].partner = &town.clients[0];
        town.has_faults = true;
        for (int i = 0; i < STEPS; i++) {
            town_work(&town);
            if (town_draw(&town, 10) == 0) {
                town_talk(&town);
            }
            if (town_draw(&town, 50) == 0) {
                town_tick(&town, town_draw(&town, 1500));
                town_expire(&town);
            }
            if (town_draw(&town, 300) == 0) {
                town_fail_something(&town);
            }
            if (town_draw(&town, 300) == 0) {
                town_restart(&town, (int)town_draw(&town, CLIENTS));
            }
            if (town_draw(&town, 500) == 0) {
                go_away(&town);
            }
        }
        see_off(&town, seed);
        come_together(&town);
        for (int i = 0; i < CLIENTS; i++) {
            judge_ends(&town, i, seed);
            ends += town.ends[i];
            restarts += town.clients[i].restarts;
            resumes += town.clients[i].resumes;
        }
        town_close(&town);
    }
    print_message("%u ends, %u restarts, %u resumes\n", ends, restarts, resumes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_sessions_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
