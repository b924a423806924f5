/* err - every error code of the program, with its text. Functions that can fail return 0 or one of
 * these (all negative); foreign codes are translated where they enter. */
#ifndef NODE_BASE_ERR_H
#define NODE_BASE_ERR_H

#define NODISCARD __attribute__((warn_unused_result))

#define ERR_MAP(X)                                                                                 \
    X(ERR_MALFORMED, -1, "malformed")                                                              \
    X(ERR_LIMIT, -2, "limit exceeded")                                                             \
    X(ERR_RESTRICTED, -3, "restricted XML")                                                        \
    X(ERR_STORAGE, -4, "storage failed")                                                           \
    X(ERR_NOT_FOUND, -5, "not found")                                                              \
    X(ERR_EXISTS, -6, "exists already")                                                            \
    X(ERR_BUSY, -7, "busy, try again")                                                             \
    X(ERR_AUTH, -8, "not authorized")                                                              \
    X(ERR_VERSION, -9, "unknown version")                                                          \
    X(ERR_IO, -10, "input/output failed")                                                          \
    X(ERR_TLS, -11, "TLS failed")                                                                  \
    X(ERR_CLOSED, -12, "closed")                                                                   \
    X(ERR_CONFIG, -13, "configuration invalid")                                                    \
    X(ERR_NOT_LEADER, -14, "not the leader")                                                       \
    X(ERR_TIMEOUT, -15, "timed out")                                                               \
    X(ERR_CORRUPT, -16, "data corrupt")                                                            \
    X(ERR_NO_SPACE, -17, "no space left")                                                          \
    X(ERR_CONFLICT, -18, "conflict")                                                               \
    X(ERR_NOT_ALLOWED, -19, "not allowed")                                                         \
    X(ERR_INVALID, -20, "invalid argument")                                                        \
    X(ERR_NO_MAJORITY, -21, "no majority of the remaining voters answers")                         \
    X(ERR_STARTING, -22, "the node does not serve yet")

enum err {
#define ERR_ENUM(name, value, text) name = (value),
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

/** The text of an error code; "ok" for 0, "unknown error" for any other value. */
const char *err_text(int err);

#endif
