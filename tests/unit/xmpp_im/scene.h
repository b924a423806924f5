/* scene - one replica (world.h), and what its effects and pulls deliver to the sessions of one
 * node, as text: one delivery a line. */
#ifndef TESTS_UNIT_XMPP_IM_SCENE_H
#define TESTS_UNIT_XMPP_IM_SCENE_H

#include "tests/unit/storage_state/world.h"
#include "xmpp/im/im.h"

#define SCENE_NODE       1 /* the incarnation whose sessions we watch */
#define SCENE_OTHER_NODE 2
#define SCENE_NOW_MS     UINT64_C(1469045330123) /* 2016-07-20T20:08:50.123Z */

struct scene {
    struct world world;
    const struct blob *about; /* borrowed */
    struct buf text;          /* of the last call */
    size_t bytes;             /* of stanzas in text */
    size_t left;              /* bytes that effects left in the arena of their view */

    /* how far session 1 got */
    uint64_t pending_from;
    uint64_t presence_since;
    bool is_complete;
};

/* For cmocka: world_settle() has been there. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/** Apply one entry, expand its effects for one node. */
const char *scene_see_as(struct scene *scene, uint64_t incarnation, const char *lines);
#define scene_see(scene, lines) scene_see_as((scene), SCENE_NODE, (lines))
/** The connection of session 1 pulls a part. */
const char *scene_pull(struct scene *scene, uint32_t epoch, size_t bytes_max);
/** Session 1, of alice, is subscribed to bob, whose is session 2. */
void scene_befriend(struct scene *scene);

#endif
