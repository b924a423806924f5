/* password - from a file or standard input, never from the command line, where everyone sees it. */
#ifndef TOOLS_CTL_PASSWORD_H
#define TOOLS_CTL_PASSWORD_H

#define PASSWORD_BYTES_MAX 1023 /* JID_SASLPREP_BYTES_MAX of node/base/jid.h */

struct password {
    char text[PASSWORD_BYTES_MAX + 1];
};

/** The first line of file; "-" is standard input; NULL asks on the terminal. 0 or an exit code
 * (said on stderr). */
int password_read(const char *file, struct password *out);
void password_wipe(struct password *password);

#endif
