#include "tests/unit/xmpp_im/scene.h"

int scene_set_up(void **state)
{
    struct scene *scene = test_calloc(1, sizeof(*scene));

    world_open(&scene->world);
    world_settle(&scene->world);
    *state = scene;
    return 0;
}

int scene_tear_down(void **state)
{
    struct scene *scene = *state;

    buf_deinit(&scene->text);
    world_close(&scene->world);
    test_free(scene);
    return 0;
}

static void append_delivery(void *ctx, const struct delivery *delivery)
{
    static const char *const names[] = {"pending", "volatile", "recorded", "confirmed",
                                        "initial", "skipped",  "pulled",   "dropped"};
    struct delivery taken = *delivery;
    struct scene *scene = ctx;

    buf_printf(&scene->text, "%s %u", names[delivery->kind], (unsigned)delivery->session);
    if (delivery->kind == DELIVERY_VOLATILE) {
        buf_printf(&scene->text, "@%u", (unsigned)delivery->position);
        scene->presence_since = delivery->position;
    } else if (delivery->kind == DELIVERY_PENDING) {
        scene->pending_from = delivery->position + 1;
    } else if (delivery->kind == DELIVERY_CONFIRMED) {
        buf_printf(&scene->text, " since %u", (unsigned)delivery->position);
    } else if (delivery->kind == DELIVERY_PULLED) {
        buf_append_str(&scene->text, delivery->is_complete ? " all" : " a part");
        scene->is_complete = delivery->is_complete;
    }
    if (delivery->xml != NULL) {
        buf_append_u8(&scene->text, ' ');
        buf_append(&scene->text, blob_slice(delivery->xml));
        scene->bytes += blob_slice(delivery->xml).len;
    }
    buf_append_u8(&scene->text, '\n');
    blob_unref(&taken.xml);
}

static struct im_view view_of(struct scene *scene, uint64_t incarnation)
{
    buf_clear(&scene->text);
    scene->bytes = 0;
    return (struct im_view){.state = scene->world.state,
                            .incarnation = incarnation,
                            .now_wall_ms = SCENE_NOW_MS,
                            .about = scene->about,
                            .arena = &scene->world.arena,
                            .sink = append_delivery,
                            .ctx = scene};
}

const char *scene_see_as(struct scene *scene, uint64_t incarnation, const char *lines)
{
    struct effects *effects = &scene->world.effects;
    struct im_view view;
    size_t before;

    (void)world_run(&scene->world, lines);
    view = view_of(scene, incarnation);
    before = arena_used(view.arena);
    for (size_t i = 0; i < effects->count; i++) {
        im_expand(&view, &effects->items[i]);
    }
    scene->left = arena_used(view.arena) - before;
    return buf_text(&scene->text);
}

const char *scene_pull(struct scene *scene, uint32_t epoch, size_t bytes_max)
{
    const struct im_view view = view_of(scene, SCENE_NODE);
    const struct delivery_pull pull = {
        .owner = {.incarnation = SCENE_NODE, .slot = 1, .generation = epoch},
        .session = 1,
        .epoch = epoch,
        .number = 1,
        .pending_from = scene->pending_from,
        .presence_since = scene->presence_since,
        .bytes_max = bytes_max};

    im_catch_up(&view, &pull);
    return buf_text(&scene->text);
}

void scene_befriend(struct scene *scene)
{
    (void)world_run(
        &scene->world,
        "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=bob@x\n"
        "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribed "
        "stanza.to=alice@x\n");
}
