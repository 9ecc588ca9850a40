#!/bin/sh
# Takes out of a folder of packages what a sensor never reads: tests, headers, symbols, other services of Amazon's.
set -eu
cd "$1"
find . -type d \( -name tests -o -name test -o -path './pyarrow/include' \) -prune -exec rm -r {} +
rm pyarrow/*_flight.*
find botocore/data -mindepth 1 -maxdepth 1 -type d \
  ! -name s3 ! -name sns ! -name sqs ! -name sts ! -name 'sso*' ! -name signin -exec rm -r {} +
# Not the libraries beside packages (*.libs): they were rewritten when their wheels were made.
find . -path './*.libs' -prune -o -name '*.so*' -type f -size +500k -exec strip --strip-unneeded {} +
