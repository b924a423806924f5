# cmake --install: the programs, the systemd unit, the user it runs as, the documents.
install(TARGETS musterd musterctl muster-inspect RUNTIME DESTINATION bin)
# The prefix is known only at the installation (cmake --install --prefix); the unit names programs.
install(CODE "
    file(READ \"${CMAKE_CURRENT_SOURCE_DIR}/deploy/systemd/musterd.service\" unit)
    string(REPLACE /usr/bin/ \"\${CMAKE_INSTALL_PREFIX}/bin/\" unit \"\${unit}\")
    file(WRITE \"${CMAKE_CURRENT_BINARY_DIR}/musterd.service\" \"\${unit}\")")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/musterd.service DESTINATION lib/systemd/system)
install(FILES deploy/muster.yaml.example DESTINATION share/doc/muster)
install(FILES deploy/systemd/muster.sysusers DESTINATION lib/sysusers.d RENAME muster.conf)

# Manual pages, where scdoc is there to make them, and the completion that the program prints itself.
find_program(SCDOC scdoc)
if(SCDOC)
    foreach(page musterctl.1 muster.yaml.5 musterd.8)
        string(REGEX REPLACE ".*\\." "" section ${page})
        set(source ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/${page}.scd)
        set(output ${CMAKE_CURRENT_BINARY_DIR}/man/${page})
        add_custom_command(
            OUTPUT ${output}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/man
            COMMAND ${SCDOC} < ${source} > ${output}
            DEPENDS ${source})
        list(APPEND man_pages ${output})
        install(FILES ${output} DESTINATION share/man/man${section})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
endif()
set(completion ${CMAKE_CURRENT_BINARY_DIR}/musterctl.bash)
add_custom_command(OUTPUT ${completion} COMMAND musterctl completion bash > ${completion}
                   DEPENDS musterctl)
add_custom_target(completion ALL DEPENDS ${completion})
install(FILES ${completion} DESTINATION share/bash-completion/completions RENAME musterctl)
