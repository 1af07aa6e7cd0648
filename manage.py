#!/usr/bin/env python
"""Wayout's command line."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    from common.starting import refused_in_a_sentence

    with refused_in_a_sentence():
        execute_from_command_line(sys.argv)
