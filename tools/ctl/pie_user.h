/* pie_user - the parts of one user of XEP-0227, as elements in and JSON out. Pure. */
#ifndef TOOLS_CTL_PIE_USER_H
#define TOOLS_CTL_PIE_USER_H

#include "xmpp/xml/element.h"

#include <jansson.h>
#include <stdint.h>

/** A time of XEP-0082, or of the delays before it (XEP-0091), in milliseconds since 1970. */
bool pie_read_time(const char *text, uint64_t *wall_ms_out);

/** Each adds to user, and says whether the element was taken. */
bool pie_add_credentials(json_t *user, const struct xml_element *element);
bool pie_add_contact(json_t *user, const struct xml_element *item);
bool pie_add_request(json_t *user, const struct xml_element *presence);
/** element: a vCard (XEP-0054), or a child of a query of private XML (XEP-0049). */
bool pie_add_kept(json_t *user, const struct xml_element *element, bool is_vcard);
bool pie_add_message(json_t *user, const struct xml_element *message);
/** In order of their times; those of one time stay as they are. */
void pie_sort_messages(json_t *user);

#endif
