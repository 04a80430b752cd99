#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# An example of an installer: see henb-install@.service for the contract. vendor-verify, vendor-update and
# vendor-configure stand for the manufacturer's own programs, which check the signature and do the work.
set -u
id=$1
spool=/var/lib/henb-agent/spool
results=/var/lib/henb-install

result() {
    printf '%s\n' "$1" >"$results/$id.new" && sync "$results/$id.new" && mv -T "$results/$id.new" "$results/$id.result"
    exit 0
}

# Results of a month ago have been read.
find "$results" -name '*.result' -mtime +30 -delete

{ IFS= read -r type; IFS= read -r target; } <"$spool/$id.type" || result "9010 the description of the file is missing"
case $type in
"1 Firmware Upgrade Image")
    vendor-verify "$spool/$id.file" || result "9019 the signature of the image is not good"
    vendor-update "$spool/$id.file" || result "9018 the image cannot be installed"
    # The other slot is written: it is started, and its first boot writes the result when it has found itself good.
    systemctl reboot
    ;;
"3 Vendor Configuration File"*)
    vendor-verify "$spool/$id.file" || result "9019 the signature of the configuration is not good"
    vendor-configure "$spool/$id.file" || result "9018 the configuration cannot be applied"
    result 0
    ;;
*)
    result "9010 nothing is known of files of this type"
    ;;
esac
