# Installs the identity provider of the tests into DIR, unless that was done from the same lock file.
# Prints "skipped: ..." where node or npm is missing.
find_program(node node)
find_program(npm npm)
if(NOT node OR NOT npm)
  message("skipped: the tests with an identity provider need node and npm (Debian: nodejs npm)")
  return()
endif()

file(MAKE_DIRECTORY "${DIR}")
file(COPY_FILE "${SOURCE}/server.mjs" "${DIR}/server.mjs" ONLY_IF_DIFFERENT)
file(SHA256 "${SOURCE}/package-lock.json" hash)
if(EXISTS "${DIR}/installed")
  file(READ "${DIR}/installed" installed)
  if(installed STREQUAL hash)
    return()
  endif()
endif()
file(REMOVE "${DIR}/installed")
file(COPY "${SOURCE}/package.json" "${SOURCE}/package-lock.json" DESTINATION "${DIR}")
execute_process(
  COMMAND "${npm}" ci --omit=dev --ignore-scripts --no-audit --no-fund
  WORKING_DIRECTORY "${DIR}"
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "npm could not install oidc-provider into ${DIR}: is its registry reachable?")
endif()
file(WRITE "${DIR}/installed" "${hash}")
