# cmake --install: the programs, the systemd unit, the user it runs as.
install(TARGETS musterd musterctl muster-inspect RUNTIME DESTINATION bin)
install(FILES deploy/systemd/musterd.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/muster.sysusers DESTINATION lib/sysusers.d RENAME muster.conf)
