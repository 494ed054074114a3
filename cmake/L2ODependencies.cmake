# Every dependency of the project, each with the Debian package that provides it. BLAS comes before GSL everywhere: whoever is
# linked first answers cblas_dgemv, and gslcblas is an order of magnitude slower.
set(L2O_MISSING_PACKAGES "")
set(L2O_MISSING_THINGS "")

# l2o_require(WHAT PACKAGE VARIABLES...): notes PACKAGE as missing unless every variable is set to something that was found.
function(l2o_require what package)
  foreach(variable ${ARGN})
    if(NOT ${variable})
      list(APPEND L2O_MISSING_PACKAGES ${package})
      list(APPEND L2O_MISSING_THINGS "${what}")
      break()
    endif()
  endforeach()
  set(L2O_MISSING_PACKAGES "${L2O_MISSING_PACKAGES}" PARENT_SCOPE)
  set(L2O_MISSING_THINGS "${L2O_MISSING_THINGS}" PARENT_SCOPE)
endfunction()

find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-openmp openblas)
find_library(OPENBLAS_LIBRARY NAMES openblas PATH_SUFFIXES openblas-openmp)
l2o_require("OpenBLAS" libopenblas-openmp-dev OPENBLAS_INCLUDE_DIR OPENBLAS_LIBRARY)

find_path(LAPACKE_INCLUDE_DIR lapacke.h)
find_library(LAPACKE_LIBRARY NAMES lapacke)
l2o_require("LAPACKE" liblapacke-dev LAPACKE_INCLUDE_DIR LAPACKE_LIBRARY)

find_path(CJSON_INCLUDE_DIR cjson/cJSON.h)
find_library(CJSON_LIBRARY NAMES cjson)
l2o_require("cJSON" libcjson-dev CJSON_INCLUDE_DIR CJSON_LIBRARY)

find_path(ZLIB_INCLUDE_DIR zlib.h)
find_library(ZLIB_LIBRARY NAMES z)
l2o_require("zlib" zlib1g-dev ZLIB_INCLUDE_DIR ZLIB_LIBRARY)

find_path(SLEEF_INCLUDE_DIR sleef.h)
find_library(SLEEF_LIBRARY NAMES sleef)
l2o_require("SLEEF" libsleef-dev SLEEF_INCLUDE_DIR SLEEF_LIBRARY)

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h)
l2o_require("Random123" librandom123-dev RANDOM123_INCLUDE_DIR)

find_package(OpenMP QUIET COMPONENTS C)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  l2o_require("OpenMP for clang" libomp-dev OpenMP_C_FOUND)
else()
  l2o_require("OpenMP" libgomp1 OpenMP_C_FOUND)
endif()
if(L2O_SANITIZE MATCHES "thread")
  # ThreadSanitizer learns from archer what OpenMP synchronises; gcc's OpenMP has nothing like it, and gives false races.
  get_filename_component(L2O_OPENMP_DIR "${OpenMP_omp_LIBRARY}" DIRECTORY)
  find_library(ARCHER_LIBRARY archer HINTS ${L2O_OPENMP_DIR})
  l2o_require("clang, libomp and its archer for ThreadSanitizer (preset tsan)" "clang libomp-dev" OpenMP_omp_LIBRARY ARCHER_LIBRARY)
endif()

set(MATH_LIBRARY m)

if(L2O_BUILD_COMMANDS)
  find_path(YAML_INCLUDE_DIR yaml.h)
  find_library(YAML_LIBRARY NAMES yaml)
  l2o_require("libyaml (or -DL2O_BUILD_COMMANDS=OFF)" libyaml-dev YAML_INCLUDE_DIR YAML_LIBRARY)
endif()
if(L2O_WITH_GSL AND (L2O_BUILD_COMMANDS OR L2O_BUILD_TESTS OR L2O_BUILD_BENCHMARKS))
  find_path(GSL_INCLUDE_DIR gsl/gsl_multimin.h)
  find_library(GSL_LIBRARY NAMES gsl)
  l2o_require("GSL (or -DL2O_WITH_GSL=OFF)" libgsl-dev GSL_INCLUDE_DIR GSL_LIBRARY)
endif()
if(L2O_WITH_MPI AND L2O_BUILD_COMMANDS) # does without: libopenmpi-dev, and openmpi-bin for its tests
  find_package(MPI QUIET COMPONENTS C)
  set(L2O_MPI ${MPI_C_FOUND})
endif()
if(L2O_BUILD_TESTS)
  find_path(CMOCKA_INCLUDE_DIR cmocka.h)
  find_library(CMOCKA_LIBRARY NAMES cmocka)
  l2o_require("cmocka (or -DL2O_BUILD_TESTS=OFF)" libcmocka-dev CMOCKA_INCLUDE_DIR CMOCKA_LIBRARY)
endif()

if(L2O_MISSING_PACKAGES)
  list(JOIN L2O_MISSING_THINGS ", " L2O_MISSING_THINGS)
  list(JOIN L2O_MISSING_PACKAGES " " L2O_MISSING_PACKAGES)
  message(FATAL_ERROR " libl2o needs ${L2O_MISSING_THINGS}: apt-get install ${L2O_MISSING_PACKAGES}")
endif()
