# One source, two libraries: l2o_add_library(NAME DEFINITION) compiles the same files into NAME (shared, hidden symbols) and
# NAME_static (everything visible: tests reach internals through it).

# Flags of every target of this project; never exported.
add_library(l2o_flags INTERFACE)
target_compile_features(l2o_flags INTERFACE c_std_11)
target_compile_options(l2o_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wvla -fno-math-errno -fno-trapping-math $<$<C_COMPILER_ID:GNU>:-Wdouble-promotion> # clang's also minds NAN and INFINITY
  $<$<BOOL:${L2O_WERROR}>:-Werror>)
target_compile_definitions(l2o_flags INTERFACE _POSIX_C_SOURCE=200809L)
if(L2O_SANITIZE)
  target_compile_options(l2o_flags INTERFACE -fsanitize=${L2O_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(l2o_flags INTERFACE -fsanitize=${L2O_SANITIZE})
endif()
if(ARCHER_LIBRARY) # libomp looks for it by name, with the program's path
  get_filename_component(L2O_ARCHER_DIR ${ARCHER_LIBRARY} DIRECTORY)
  target_link_options(l2o_flags INTERFACE LINKER:-rpath,${L2O_ARCHER_DIR})
endif()

file(GLOB L2O_SOURCES CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/src/core/*.c ${PROJECT_SOURCE_DIR}/src/problems/*.c ${PROJECT_SOURCE_DIR}/src/nn/*.c
  ${PROJECT_SOURCE_DIR}/solvers/*.c ${PROJECT_SOURCE_DIR}/src/solve/*.c ${PROJECT_SOURCE_DIR}/src/learn/*.c)

function(l2o_add_library name definition)
  add_library(${name}_objects OBJECT ${L2O_SOURCES})
  set_target_properties(${name}_objects PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden C_EXTENSIONS OFF)
  target_include_directories(${name}_objects PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src
    ${OPENBLAS_INCLUDE_DIR} ${LAPACKE_INCLUDE_DIR} ${CJSON_INCLUDE_DIR} ${ZLIB_INCLUDE_DIR} ${RANDOM123_INCLUDE_DIR})
  target_compile_definitions(${name}_objects PUBLIC ${definition} PRIVATE L2O_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name}_objects PRIVATE l2o_flags OpenMP::OpenMP_C)

  add_library(${name} SHARED $<TARGET_OBJECTS:${name}_objects>)
  add_library(l2o::${name} ALIAS ${name})
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
  target_compile_definitions(${name} INTERFACE ${definition})
  target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:l2o_flags> ${OPENBLAS_LIBRARY} ${LAPACKE_LIBRARY} ${CJSON_LIBRARY}
    ${ZLIB_LIBRARY} OpenMP::OpenMP_C ${MATH_LIBRARY})
  target_link_options(${name} PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  if(NOT L2O_SANITIZE)
    target_link_options(${name} PRIVATE LINKER:--no-undefined LINKER:--as-needed)
  endif()

  add_library(${name}_static STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${name}_objects>)
  target_compile_definitions(${name}_static INTERFACE ${definition})
  target_include_directories(${name}_static INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
    ${OPENBLAS_INCLUDE_DIR} ${LAPACKE_INCLUDE_DIR} ${ZLIB_INCLUDE_DIR})
  target_link_libraries(${name}_static INTERFACE ${OPENBLAS_LIBRARY} ${LAPACKE_LIBRARY} ${CJSON_LIBRARY} ${ZLIB_LIBRARY}
    OpenMP::OpenMP_C ${MATH_LIBRARY})
endfunction()
