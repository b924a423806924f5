/* paths - where things lie on a machine unless settings or arguments say otherwise. */
#ifndef NODE_BASE_PATHS_H
#define NODE_BASE_PATHS_H

#define CONTROL_PATH_DEFAULT "/run/muster/control.sock"

#endif
