# SPDX-License-Identifier: GPL-3.0-or-later
# In a package the documents lie side by side, with the examples below them. What the sources alone have is no link.
s#\[([^]]+)\]\((\.\./)*((agent|netlink|policy|tests)/[^)]*|docs/[^)]*\.[0-9]|CONTRIBUTING\.md)\)#\1#g
s#\[(docs|dbus)/([A-Za-z]+\.md)\]\(#[\2](#g
s#\[(dbus/examples|units)\b([^]]*)\]\(#[examples\2](#g
s#\]\((\.\./)*(docs|dbus)/([A-Za-z]+\.md)#](\3#g
s#\]\((\.\./)*(dbus/examples|units)\b#](examples#g
