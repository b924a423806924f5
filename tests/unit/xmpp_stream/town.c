#include "tests/unit/xmpp_stream/town.h"

#include "xmpp/im/im.h"

#include <stdio.h>

#define BATCH_MAX   8
#define QUIET_MAX   3000
#define COMMITS_MAX 20

/* What the state thread tells a worker; texts are copied. */
struct mail {
    bool is_outcome;
    uint32_t slot;
    uint64_t cookie;
    struct outcome outcome;
    char address[64];
    char resume_id[64];
    struct delivery delivery;
};

uint32_t town_draw(struct town *town, uint32_t below)
{
    town->seed = town->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(town->seed >> 33) % below;
}

static bool serves_x(void *ctx, const char *domain)
{
    (void)ctx;
    return strcmp(domain, "x") == 0;
}

/* ---- a stream and its worker */

static void give_account(struct town *town, struct stream *stream, const char *user)
{
    const Pb__AccountRow *row = state_account(town->world.state, &town->world.arena, user);

    assert_non_null(row);
    offer_credentials(stream, row->version);
}

/* In time, or when a leader has the command already. */
static void replace(struct town *town, struct town_node *node, const struct stream_action *action)
{
    if (town_draw(town, 2) == 0) {
        return;
    }
    for (size_t i = 0; i < node->commands.count; i++) {
        struct buf *command = ring_at(&node->commands, i);

        if (slice_eq(buf_slice(command), action->replaced)) {
            buf_clear(command);
            buf_append(command, action->command);
        }
    }
}

static void pump(struct town *town, struct link *link)
{
    struct stream_action action;

    while (link->stream != NULL && stream_pop(link->stream, &action)) {
        switch (action.kind) {
        case STREAM_COMMAND: {
            struct buf *command = ring_push(&town->nodes[link->node].commands);

            buf_append(command, action.command);
            break;
        }
        case STREAM_REPLACE:
            replace(town, &town->nodes[link->node], &action);
            break;
        case STREAM_PULL:
            *(struct delivery_pull *)ring_push(&town->nodes[link->node].pulls) = action.pull;
            break;
        case STREAM_WANT_CREDENTIALS:
            give_account(town, link->stream, action.user);
            break;
        case STREAM_DERIVE:
            sasl_derivation_run(action.derivation);
            stream_on_derived_take(link->stream, action.derivation);
            break;
        case STREAM_START_TLS:
            fail_msg("direct TLS is on already");
            break;
        case STREAM_CLOSE:
        case STREAM_DROP:
            stream_free(&link->stream);
            break;
        }
    }
}

static void connect_client(struct town *town, int client)
{
    const struct stream_tls tls = {.tls13 = true};
    struct dialogue usual;
    struct link *link;

    assert_true(town->link_count < LINKS_MAX);
    dialogue_init(&usual, false);
    link = &town->links[town->link_count];
    *link = (struct link){.node = (int)town_draw(town, NODES)};
    usual.config.owner = (struct owner){.incarnation = town->nodes[link->node].incarnation,
                                        .slot = town->link_count,
                                        .generation = 1};
    usual.config.direct_tls = true;
    usual.config.output_bytes_max = 200 + town_draw(town, 2000); /* it falls behind now and then */
    usual.config.default_domain = "x";
    usual.config.serves_domain = serves_x;
    link->stream = stream_new(&usual.config, town->world.now_ms);
    stream_on_tls(link->stream, &tls);
    town->link_of[client] = town->link_count++;
    chat_client_connect(&town->clients[client]);
    dialogue_deinit(&usual);
}

/* Bytes between a client and its stream, in pieces. */
static void move_up(struct town *town, int client)
{
    struct chat_client *chat = &town->clients[client];
    struct link *link = &town->links[town->link_of[client]];
    size_t len = buf_len(&chat->up);

    if (chat->reader == NULL || link->stream == NULL || len == 0 ||
        !stream_wants_read(link->stream)) {
        return;
    }
    len = town_draw(town, 2) == 0 ? len : 1 + town_draw(town, (uint32_t)len);
    stream_feed(link->stream, slice_sub(buf_slice(&chat->up), 0, len), town->world.now_ms);
    buf_consume(&chat->up, len);
    pump(town, link);
}

static void move_down(struct town *town, int client)
{
    struct chat_client *chat = &town->clients[client];
    struct link *link = &town->links[town->link_of[client]];
    struct buf *output;
    size_t len;

    if (chat->reader == NULL) {
        return;
    }
    if (link->stream == NULL) { /* the server cut it */
        chat_client_disconnect(chat);
        return;
    }
    output = stream_output(link->stream);
    len = buf_len(output);
    if (len > 0) {
        len = town_draw(town, 2) == 0 ? len : 1 + town_draw(town, (uint32_t)len);
        chat_client_feed(chat, slice_sub(buf_slice(output), 0, len));
        buf_consume(output, len);
        pump(town, link);
    }
}

/* ---- the log */

static void post(struct town *town, uint64_t incarnation, const struct mail *mail)
{
    for (int i = 0; i < NODES; i++) {
        if (town->nodes[i].incarnation == incarnation) {
            *(struct mail *)ring_push(&town->nodes[i].mail) = *mail;
            return;
        }
    }
    if (mail->delivery.xml != NULL) {
        struct blob *xml = mail->delivery.xml;

        blob_unref(&xml);
    }
}

static void post_outcome(struct town *town, const struct effect *effect)
{
    struct mail mail = {.is_outcome = true,
                        .slot = effect->ref.slot,
                        .cookie = effect->ref.cookie,
                        .outcome = effect->outcome};

    if (effect->outcome.address != NULL) {
        (void)strncpy(mail.address, effect->outcome.address, sizeof(mail.address) - 1);
    }
    assert_true(effect->outcome.resume_id.len <= sizeof(mail.resume_id));
    if (effect->outcome.resume_id.len > 0) {
        memcpy(mail.resume_id, effect->outcome.resume_id.data, effect->outcome.resume_id.len);
    }
    mail.outcome.location = "";
    post(town, effect->origin, &mail);
}

static void post_delivery(void *ctx, const struct delivery *delivery)
{
    const struct mail mail = {.slot = delivery->owner.slot, .delivery = *delivery};

    post(ctx, delivery->owner.incarnation, &mail);
}

/* The worker is behind: what comes by itself for one connection is left out for a while, and then
 * it is told (node/core/outbox.h). */
static void end_skipping(struct town *town, struct town_node *node)
{
    if (node->skipped != 0) {
        node->skipped = 0;
        post_delivery(town, &node->skip);
    }
}

static bool skips(struct town *town, struct town_node *node, const struct delivery *delivery)
{
    bool by_itself = delivery->pull == 0 && delivery->xml != NULL;

    if (!by_itself || (node->skipped != 0 && node->skipped != delivery->owner.slot + 1) ||
        (node->skipped == 0 && town_draw(town, 10) != 0)) {
        return false;
    }
    node->skipped = delivery->owner.slot + 1;
    node->skip = (struct delivery){.kind = DELIVERY_SKIPPED,
                                   .owner = delivery->owner,
                                   .session = delivery->session,
                                   .epoch = delivery->epoch};
    return true;
}

static void post_live(void *ctx, const struct delivery *delivery)
{
    struct town *town = ctx;

    for (int i = 0; i < NODES; i++) {
        struct blob *xml = delivery->xml;

        if (town->nodes[i].incarnation == delivery->owner.incarnation &&
            skips(town, &town->nodes[i], delivery)) {
            blob_unref(&xml);
            return;
        }
    }
    post_delivery(town, delivery);
}

/* The state thread answers the oldest pull of a node, or tells what it left out. */
static void answer_pull(struct town *town)
{
    struct town_node *node = &town->nodes[town_draw(town, NODES)];
    struct arena arena;

    if (town_draw(town, 4) == 0) {
        end_skipping(town, node);
    } else if (node->pulls.count > 0) {
        const struct im_view view = {.state = town->world.state,
                                     .incarnation = node->incarnation,
                                     .arena = &arena,
                                     .sink = post_delivery,
                                     .ctx = town};

        arena_init(&arena);
        im_catch_up(&view, ring_at(&node->pulls, 0));
        ring_drop(&node->pulls);
        arena_deinit(&arena);
    }
}

static void expand(struct town *town)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < town->world.effects.count; i++) {
        const struct effect *effect = &town->world.effects.items[i];

        assert_int_not_equal(effect->kind, EFFECT_REFUSED_SEQ);
        if (effect->kind == EFFECT_OUTCOME) {
            post_outcome(town, effect);
            continue;
        }
        for (int node = 0; node < NODES; node++) {
            const struct im_view view = {.state = town->world.state,
                                         .incarnation = town->nodes[node].incarnation,
                                         .arena = &arena,
                                         .sink = post_live,
                                         .ctx = town};

            im_expand(&view, effect);
        }
    }
    arena_deinit(&arena);
}

/* What the leader proposes instead of a record that it has no room for: the same place, the reason
 * (DESIGN 3). */
static void refuse(struct buf *bytes)
{
    Pb__Command *command = pb__command__unpack(NULL, buf_len(bytes), buf_slice(bytes).data);
    Pb__Command refused = PB__COMMAND__INIT;
    Pb__Empty empty = PB__EMPTY__INIT;

    assert_non_null(command);
    if (command->body_case == PB__COMMAND__BODY_NOTES) {
        empty.reason = ERR_NO_SPACE;
        refused.ref = command->ref;
        refused.body_case = PB__COMMAND__BODY_EMPTY;
        refused.empty = &empty;
        buf_clear(bytes);
        (void)buf_reserve(bytes, pb__command__get_packed_size(&refused));
        buf_commit(bytes, pb__command__pack(&refused, bytes->data));
    }
    pb__command__free_unpacked(command, NULL);
}

static void take_command(struct town *town, struct town_node *node, struct entry_writer *writer)
{
    struct buf *command = ring_at(&node->commands, 0);
    struct entry_command item = {.incarnation = node->incarnation};

    if (town->has_faults && town_draw(town, 100) == 0) {
        refuse(command);
    }
    item.seq = ++town->world.seq[node->incarnation];
    item.bytes = buf_slice(command);
    entry_add(writer, &item);
    buf_deinit(command);
    ring_drop(&node->commands);
}

/* One entry with some of what has arrived, from both nodes by turns. */
static void commit(struct town *town)
{
    struct entry_stamp stamp = {.time_ms = town->world.now_ms, .wall_ms = town->world.now_ms};
    struct buf entry = BUF_EMPTY;
    struct entry_writer writer;
    uint32_t count = 1 + town_draw(town, BATCH_MAX);
    uint32_t taken = 0;

    memset(stamp.seed, (int)(town->world.index & 0xff), sizeof(stamp.seed));
    entry_begin(&writer, &entry, ENTRY_BATCH, &stamp);
    for (uint32_t i = 0; i < count; i++) {
        struct town_node *node = &town->nodes[town_draw(town, NODES)];

        if (node->commands.count > 0) {
            take_command(town, node, &writer);
            taken++;
        }
    }
    entry_finish(&writer);
    if (taken > 0) {
        assert_int_equal(world_apply(&town->world, buf_slice(&entry)), 0);
        expand(town);
    }
    buf_deinit(&entry);
}

static void read_mail(struct town *town, struct town_node *node)
{
    struct mail mail;
    struct link *link;

    if (node->mail.count == 0) {
        return;
    }
    mail = *(struct mail *)ring_at(&node->mail, 0);
    ring_drop(&node->mail);
    link = &town->links[mail.slot];
    if (link->stream == NULL) {
        blob_unref(&mail.delivery.xml);
        return;
    }
    if (mail.is_outcome) {
        mail.outcome.address = mail.address;
        mail.outcome.resume_id.data = (const uint8_t *)mail.resume_id;
        stream_on_outcome(link->stream, mail.cookie, &mail.outcome, town->world.now_ms);
    } else {
        stream_on_delivery(link->stream, &mail.delivery, town->world.now_ms);
    }
    pump(town, link);
}

/* ---- faults */

static void lose(struct town *town, struct link *link)
{
    if (link->stream != NULL) {
        stream_on_disconnect(link->stream);
        pump(town, link);
    }
}

/* The client gives up its connection; the server may still read what was on its way, at any later
 * time, and may notice the end late or never. */
static void give_up(struct town *town, int client, bool late)
{
    struct link *link = &town->links[town->link_of[client]];

    if (late) {
        buf_append(&link->late, buf_slice(&town->clients[client].up));
    }
    chat_client_disconnect(&town->clients[client]);
    if (!late && town_draw(town, 3) != 0) {
        lose(town, link);
    }
}

void town_lose_patience(struct town *town, int client)
{
    struct chat_client *chat = &town->clients[client];

    if (chat->logged_in && !chat->ready && buf_len(&chat->up) > 0 && town_draw(town, 8) == 0) {
        give_up(town, client, true);
    }
}

/* The server reads on, or notices the end of, one of the last connections. */
static void move_late(struct town *town)
{
    uint32_t back = 1 + town_draw(town, 6);
    struct link *link = &town->links[back > town->link_count ? 0 : town->link_count - back];
    size_t len = buf_len(&link->late);

    if (len == 0 || link->stream == NULL || !stream_wants_read(link->stream) ||
        town_draw(town, 20) != 0) {
        return;
    }
    len = town_draw(town, 2) == 0 ? len : 1 + town_draw(town, (uint32_t)len);
    stream_feed(link->stream, slice_sub(buf_slice(&link->late), 0, len), town->world.now_ms);
    buf_consume(&link->late, len);
    pump(town, link);
    if (buf_len(&link->late) == 0 && town_draw(town, 2) == 0) {
        lose(town, link);
    }
}

static void forget(struct town_node *node)
{
    while (node->commands.count > 0) {
        buf_deinit(ring_at(&node->commands, 0));
        ring_drop(&node->commands);
    }
    while (node->mail.count > 0) {
        struct mail *mail = ring_at(&node->mail, 0);

        blob_unref(&mail->delivery.xml);
        ring_drop(&node->mail);
    }
    ring_deinit(&node->pulls);
    node->skipped = 0;
}

/* kill -9: its connections break, what was on its way is gone; it comes back as a new incarnation.
 */
static void kill_node(struct town *town, int index)
{
    struct town_node *node = &town->nodes[index];

    for (uint32_t i = 0; i < town->link_count; i++) {
        if (town->links[i].node == index) {
            stream_free(&town->links[i].stream);
        }
    }
    forget(node);
    town->kills++;
    if (town_draw(town, 2) == 0) { /* the leader may notice before the node is back */
        world_runf(&town->world, "0 node_down incarnation=%llu",
                   (unsigned long long)node->incarnation);
        expand(town);
    }
    world_runf(&town->world, "0 start node=%d nonce=life%u", index + 1, town->kills);
    node->incarnation = town->world.state->meta.next_incarnation - 1;
    expand(town);
}

void town_tick(struct town *town, uint64_t ms)
{
    town->world.now_ms += ms;
    for (uint32_t i = 0; i < town->link_count; i++) {
        if (town->links[i].stream != NULL) {
            stream_tick(town->links[i].stream, town->world.now_ms);
            pump(town, &town->links[i]);
        }
    }
}

/* ---- deadlines */

static void count_end(struct town *town, const Pb__Expire__Item *item)
{
    for (int i = 0; i < CLIENTS; i++) {
        char user[16];

        (void)snprintf(user, sizeof(user), "%s@x", town->clients[i].name);
        if (row_exists(town->world.state, TABLE_PRESENCE, key_user_u64(user, item->session))) {
            town->ends[i]++;
        }
    }
}

void town_expire(struct town *town)
{
    static const char *const kinds[] = {"SESSION", "STANDING_PRESENCE", "PRESENCE_TOMBSTONE",
                                        "SESSION_TOMBSTONE", "ERASURE"};
    struct buf line = BUF_EMPTY;
    struct arena arena;
    Pb__Expire due;

    arena_init(&arena);
    (void)state_due(town->world.state, &arena, town->world.now_ms, 10, &due);
    buf_append_str(&line, "0 expire");
    for (size_t i = 0; i < due.n_items; i++) {
        const Pb__Expire__Item *item = due.items[i];

        count_end(town, item);
        buf_printf(&line, " items.%zu=%llu:%u:%llu:%s", i, (unsigned long long)item->session,
                   item->epoch, (unsigned long long)item->deadline_ms, kinds[item->kind]);
    }
    if (due.n_items > 0) {
        (void)world_run(&town->world, buf_text(&line));
        expand(town);
    }
    buf_deinit(&line);
    arena_deinit(&arena);
}

void town_pass_time(struct town *town, uint64_t ms)
{
    for (int i = 0; i < CLIENTS; i++) {
        chat_client_disconnect(&town->clients[i]);
        lose(town, &town->links[town->link_of[i]]);
    }
    for (int i = 0; i < COMMITS_MAX; i++) {
        commit(town);
    }
    town_tick(town, ms);
    town_expire(town);
}

void town_restart(struct town *town, int client)
{
    give_up(town, client, false);
    chat_client_restart(&town->clients[client]);
}

/* ---- the talk */

void town_work(struct town *town)
{
    int client = (int)town_draw(town, CLIENTS);

    switch (town_draw(town, 7)) {
    case 0:
        move_up(town, client);
        break;
    case 1:
        move_down(town, client);
        break;
    case 2:
        commit(town);
        break;
    case 3:
        move_late(town);
        break;
    case 4:
        answer_pull(town);
        break;
    default:
        read_mail(town, &town->nodes[town_draw(town, NODES)]);
        break;
    }
    if (town->clients[client].reader == NULL && !town->is_away[client]) {
        connect_client(town, client);
    }
}

void town_talk(struct town *town)
{
    struct chat_client *client = &town->clients[town_draw(town, CLIENTS)];

    if (!client->ready) {
        return;
    }
    switch (town_draw(town, 6)) {
    case 0:
        chat_client_show(client);
        break;
    case 1:
        chat_client_show_peer(client);
        break;
    case 2:
        chat_client_ask(client);
        break;
    default:
        chat_client_say(client);
        break;
    }
}

void town_fail_something(struct town *town)
{
    if (town_draw(town, 3) == 0) {
        kill_node(town, (int)town_draw(town, NODES));
    } else {
        give_up(town, (int)town_draw(town, CLIENTS), town_draw(town, 2) == 0);
    }
}

void town_settle(struct town *town)
{
    for (int i = 0; i < QUIET_MAX; i++) {
        town_work(town);
        if (i % 100 == 0) {
            town_tick(town, 1000);
        }
    }
}

void town_open(struct town *town, uint64_t seed)
{
    *town = (struct town){.seed = seed};
    world_open(&town->world);
    world_settle(&town->world);
    world_run(&town->world, "0 start node=2 nonce=n2");
    for (int i = 0; i < NODES; i++) {
        town->nodes[i] = (struct town_node){.incarnation = (uint64_t)i + 1,
                                            .commands = RING_OF(struct buf),
                                            .mail = RING_OF(struct mail),
                                            .pulls = RING_OF(struct delivery_pull)};
    }
    chat_client_init(&town->clients[0], "alice", "bob");
    chat_client_init(&town->clients[1], "bob", "alice");
    for (int i = 0; i < CLIENTS; i++) {
        connect_client(town, i);
    }
    town_settle(town);
}

void town_befriend(struct town *town)
{
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(town->clients[i].ready);
        chat_client_show(&town->clients[i]);
    }
    chat_client_send(&town->clients[0], "<presence type='subscribe' to='bob@x'/>");
    chat_client_send(&town->clients[1], "<presence type='subscribe' to='alice@x'/>");
    town_settle(town);
    chat_client_send(&town->clients[0], "<presence type='subscribed' to='bob@x'/>");
    chat_client_send(&town->clients[1], "<presence type='subscribed' to='alice@x'/>");
    town_settle(town);
    assert_int_equal(town->clients[0].status_seen, 1);
    assert_int_equal(town->clients[1].status_seen, 1);
}

void town_close(struct town *town)
{
    for (int i = 0; i < CLIENTS; i++) {
        chat_client_deinit(&town->clients[i]);
    }
    for (uint32_t i = 0; i < town->link_count; i++) {
        stream_free(&town->links[i].stream);
        buf_deinit(&town->links[i].late);
    }
    for (int i = 0; i < NODES; i++) {
        forget(&town->nodes[i]);
    }
    world_close(&town->world);
}
