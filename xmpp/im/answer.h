/* answer - IQ requests that the server answers itself, from the applied state of this node. Called
 * when the answer is delivered, and again after a resume (DESIGN 5: open requests). Pure. */
#ifndef XMPP_IM_ANSWER_H
#define XMPP_IM_ANSWER_H

#include "xmpp/im/im.h"

/** Append the IQ that answers request; an error where nothing is served (RFC 6120 §8.3). What had
 * to be read stays in arena. */
void answer_render(const struct im_view *view, const Pb__Stanza *request, struct arena *arena,
                   struct buf *out);

#endif
