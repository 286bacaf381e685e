#!/bin/sh
# Makes configure and Makefile.in from a git checkout.
cd "$(dirname "$0")" && exec autoreconf -fi
