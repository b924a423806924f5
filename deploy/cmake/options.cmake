# Compiler flags and third-party packages, for every target.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Werror -Wmissing-prototypes
                    -Wstrict-prototypes -Wvla -fno-omit-frame-pointer -fstack-protector-strong)
# -iquote, never -I: our raft/ must not shadow libraft's <raft.h>.
add_compile_options("SHELL:-iquote ${CMAKE_SOURCE_DIR}" "SHELL:-iquote ${CMAKE_BINARY_DIR}")
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT SANITIZE)
    add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

# What a library lacks is told at the start (`musterd -t`), not when the first client needs it.
add_link_options(-Wl,-z,relro,-z,now)

if(SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread)
    add_link_options(-fsanitize=thread)
elseif(SANITIZE)
    message(FATAL_ERROR "SANITIZE is empty, address or thread; not '${SANITIZE}'")
endif()
if(FUZZ)
    # libFuzzer guides itself by the coverage of the code under test, so everything carries it.
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=fuzzer-no-link,address,undefined)
endif()
if(COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic -O0) # threads count, too
    add_link_options(--coverage)
endif()

if(NEXT_VERSION) # its version says what it is, and it is not installed
    add_compile_definitions(NEXT_VERSION)
    set(PROJECT_VERSION "${PROJECT_VERSION}-next-for-tests")
    install(CODE "message(FATAL_ERROR \"a build with NEXT_VERSION is for tests alone\")")
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(RAFT REQUIRED IMPORTED_TARGET raft)
pkg_check_modules(IDN REQUIRED IMPORTED_TARGET libidn)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(CYAML REQUIRED IMPORTED_TARGET libcyaml)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
