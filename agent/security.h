/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What proves who is who: the operator's roots, this box's certificate and key, lists of what is revoked, the
 * password for the HeMS, the hosting party's USIM. Read from the files agent.conf names, and read again on
 * reload. */
#pragma once

#include "config.h"
#include "ike/ike-sa.h"
#include "ike/revocation-cache.h"

typedef struct Security Security;

/* Reads all of it; *folder* is where the USIM's sequence numbers are kept, and NULL leaves the USIM alone.
 * *config* must outlive it. 0 or negative errno with a line in *error* (ERROR_MAX_BYTES) that names file,
 * line and key. */
int security_new(Security **ret, const Config *config, const char *folder, char *error);
void security_free(Security *security);
DEFINE_CLEANUP(Security, security_free)
/* Reads roots, certificate, key and lists anew, from where *next* says they are: *config* as it is going to
 * be, which differs from it in nothing else that is read here. *ret_changed*: they are others than before.
 * What cannot be used changes nothing: negative errno with a line in *error*, as above. */
int security_reload(Security *security, const Config *next, bool *ret_changed, char *error);

/* The present ones. Those of before a reload live as long as *security*, for SAs that were made with them. */
const TrustStore *security_trust(const Security *security);
const Credential *security_credential(const Security *security);
RevocationCache *security_revocation(Security *security);
/* The one for the HeMS in the factory data, "" without. Read at the start only; wiped with *security*. */
const char *security_password(const Security *security);
/* All that agent.conf says of IKE and ESP whatever the gateway, with the present trust and credential;
 * without rng and clock_floor. */
IkeConfig security_ike(const Security *security);
/* What the certificate of a SeGW must carry: its name, unless the factory data say something else of it. */
const char *security_segw_identity(const Security *security, const char *segw);
