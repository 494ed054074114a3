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
# Kernels are compiled once for every instruction set, and chosen when the program runs: src/core/vector.h
file(GLOB L2O_KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*/*.simd.c)
list(REMOVE_ITEM L2O_SOURCES ${L2O_KERNELS})
set(L2O_VECTOR_SETS portable avx2 avx512)
set(L2O_VECTOR_FLAGS_portable "")
set(L2O_VECTOR_FLAGS_avx2 -mavx2 -mfma)
set(L2O_VECTOR_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
list(FIND L2O_VECTOR_SETS "${L2O_VECTOR}" L2O_VECTOR_MAX)
if(L2O_VECTOR_MAX LESS 0)
  message(FATAL_ERROR " L2O_VECTOR is portable, avx2 or avx512, not '${L2O_VECTOR}'")
elseif(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(L2O_VECTOR_MAX 0)
endif()

# The settings of everything that is compiled into the library NAME.
function(l2o_library_part target definition)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden C_EXTENSIONS OFF)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src
    ${OPENBLAS_INCLUDE_DIR} ${LAPACKE_INCLUDE_DIR} ${CJSON_INCLUDE_DIR} ${ZLIB_INCLUDE_DIR} ${RANDOM123_INCLUDE_DIR} ${SLEEF_INCLUDE_DIR})
  target_compile_definitions(${target} PUBLIC ${definition} PRIVATE L2O_VERSION="${PROJECT_VERSION}" L2O_VECTOR_MAX=${L2O_VECTOR_MAX})
  target_link_libraries(${target} PRIVATE l2o_flags OpenMP::OpenMP_C)
endfunction()

function(l2o_add_library name definition)
  add_library(${name}_objects OBJECT ${L2O_SOURCES})
  l2o_library_part(${name}_objects "${definition}")
  set(objects $<TARGET_OBJECTS:${name}_objects>)
  foreach(level RANGE ${L2O_VECTOR_MAX})
    list(GET L2O_VECTOR_SETS ${level} set)
    string(TOUPPER ${set} upper)
    add_library(${name}_${set} OBJECT ${L2O_KERNELS})
    l2o_library_part(${name}_${set} "${definition}")
    target_compile_definitions(${name}_${set} PRIVATE L2O_ISA_${upper})
    target_compile_options(${name}_${set} PRIVATE ${L2O_VECTOR_FLAGS_${set}})
    list(APPEND objects $<TARGET_OBJECTS:${name}_${set}>)
  endforeach()

  add_library(${name} SHARED ${objects})
  add_library(l2o::${name} ALIAS ${name})
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
  target_compile_definitions(${name} INTERFACE ${definition})
  target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:l2o_flags> ${OPENBLAS_LIBRARY} ${LAPACKE_LIBRARY} ${CJSON_LIBRARY}
    ${ZLIB_LIBRARY} ${SLEEF_LIBRARY} OpenMP::OpenMP_C ${MATH_LIBRARY})
  target_link_options(${name} PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  if(NOT L2O_SANITIZE)
    target_link_options(${name} PRIVATE LINKER:--no-undefined LINKER:--as-needed)
  endif()

  add_library(${name}_static STATIC EXCLUDE_FROM_ALL ${objects})
  target_compile_definitions(${name}_static INTERFACE ${definition} L2O_VECTOR_MAX=${L2O_VECTOR_MAX})
  target_include_directories(${name}_static INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
    ${OPENBLAS_INCLUDE_DIR} ${LAPACKE_INCLUDE_DIR} ${ZLIB_INCLUDE_DIR})
  target_link_libraries(${name}_static INTERFACE ${OPENBLAS_LIBRARY} ${LAPACKE_LIBRARY} ${CJSON_LIBRARY} ${ZLIB_LIBRARY}
    ${SLEEF_LIBRARY} OpenMP::OpenMP_C ${MATH_LIBRARY})
endfunction()
