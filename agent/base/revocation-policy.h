/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of a certificate's revocation, of a HeMS's and of a gateway's ([Trust] Revocation=). */
#pragma once

typedef enum Revocation {
    REVOCATION_OFF,
    REVOCATION_IF_AVAILABLE, /* a CRL or an OCSP answer that is there counts */
    REVOCATION_STRICT,       /* and one has to be there */
} Revocation;
