/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim-pcsc-io.h. */
#include "ike/usim-pcsc-io.h"

#include <winscard.h>

#include "ike/usim-apdu.h"

#define READERS_MAX_BYTES 4096
#define FOLLOW_MAX        4 /* GET RESPONSE and the like behind one command */
#define EF_IMSI_SIZE      9
#define EF_AD_SIZE        4

struct UsimPcsc {
    char *reader;
};

typedef struct Card {
    SCARDCONTEXT context;
    SCARDHANDLE handle;
    DWORD protocol;
    bool established, connected;
    uint8_t reply[APDU_REPLY_MAX];
} Card;

static int pcsc_error(LONG code) {
    switch (code) {
    case SCARD_E_NO_SERVICE:
    case SCARD_E_NO_READERS_AVAILABLE:
    case SCARD_E_UNKNOWN_READER:
    case SCARD_E_READER_UNAVAILABLE:
        return -ENODEV;
    case SCARD_E_NO_SMARTCARD:
    case SCARD_W_REMOVED_CARD:
    case SCARD_W_UNRESPONSIVE_CARD:
    case SCARD_W_UNPOWERED_CARD:
        return -ENOMEDIUM;
    default:
        return -EIO;
    }
}

static void card_close(Card *card) {
    if (card->connected) {
        (void)SCardEndTransaction(card->handle, SCARD_LEAVE_CARD);
        (void)SCardDisconnect(card->handle, SCARD_LEAVE_CARD);
    }
    if (card->established)
        (void)SCardReleaseContext(card->context);
    explicit_bzero(card, sizeof *card);
}

static int card_connect(Card *card, const char *reader) {
    LONG code = SCardConnect(card->context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                             &card->handle, &card->protocol);

    if (code != SCARD_S_SUCCESS)
        return pcsc_error(code);
    code = SCardBeginTransaction(card->handle);
    if (code != SCARD_S_SUCCESS) {
        (void)SCardDisconnect(card->handle, SCARD_LEAVE_CARD);
        return pcsc_error(code);
    }
    card->connected = true;
    return 0;
}

/* Connects to the first fitting reader that has a card. */
static int card_open(Card *card, const char *wanted) {
    char readers[READERS_MAX_BYTES];
    DWORD size = sizeof readers;
    int r = -ENODEV;

    *card = (Card){};
    LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &card->context);
    if (code != SCARD_S_SUCCESS)
        return pcsc_error(code);
    card->established = true;
    code = SCardListReaders(card->context, NULL, readers, &size);
    if (code != SCARD_S_SUCCESS)
        return pcsc_error(code);
    for (const char *reader = readers; *reader && r < 0; reader += strlen(reader) + 1)
        if (strncmp(reader, wanted, strlen(wanted)) == 0)
            r = card_connect(card, reader);
    return r;
}

static int card_transmit(Card *card, const Apdu *apdu, ApduReply *ret) {
    DWORD size = sizeof card->reply;
    LONG code = SCardTransmit(card->handle, card->protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0,
                              apdu->bytes, apdu->size, NULL, card->reply, &size);

    return code == SCARD_S_SUCCESS ? apdu_reply_parse(card->reply, size, ret) : pcsc_error(code);
}

/* A command with what it takes until there is an answer. *ret points into the card's buffer. */
static int card_exchange(Card *card, Apdu apdu, ApduReply *ret) {
    int r = card_transmit(card, &apdu, ret);

    for (size_t i = 0; i < FOLLOW_MAX && r == 0 && apdu_follow(&apdu, ret, &apdu); i++)
        r = card_transmit(card, &apdu, ret);
    explicit_bzero(&apdu, sizeof apdu);
    return r;
}

static int card_select_application(Card *card) {
    ApduReply reply;
    int r = -ENOENT;

    for (size_t i = 0; i < APDU_APPLICATIONS && r == -ENOENT; i++) {
        r = card_exchange(card, apdu_select_application(i), &reply);
        if (r == 0 && reply.status != APDU_OK)
            r = apdu_status_error(reply.status);
    }
    return r;
}

static int card_read(Card *card, uint16_t file, uint8_t size, ApduReply *ret) {
    int r = card_exchange(card, apdu_select_file(file), ret);

    if (r == 0 && ret->status == APDU_OK)
        r = card_exchange(card, apdu_read_binary(size), ret);
    if (r == 0 && ret->status != APDU_OK)
        r = apdu_status_error(ret->status);
    return r;
}

static int card_identity(Card *card, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    ApduReply reply;
    int r = card_read(card, EF_IMSI, EF_IMSI_SIZE, &reply);

    if (r == 0)
        r = apdu_imsi_parse(&reply, imsi);
    if (r == 0)
        r = card_read(card, EF_AD, EF_AD_SIZE, &reply);
    return r == 0 ? apdu_mnc_size_parse(&reply, ret_mnc_size) : r;
}

static int pcsc_identity(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    const UsimPcsc *u = userdata;
    Card card;
    int r = card_open(&card, u->reader);

    if (r == 0)
        r = card_select_application(&card);
    if (r == 0)
        r = card_identity(&card, imsi, ret_mnc_size);
    card_close(&card);
    return r;
}

static int pcsc_authenticate(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                             const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret) {
    const UsimPcsc *u = userdata;
    ApduReply reply;
    Card card;
    int r = card_open(&card, u->reader);

    if (r == 0)
        r = card_select_application(&card);
    if (r == 0)
        r = card_exchange(&card, apdu_authenticate(rand, autn, card.protocol == SCARD_PROTOCOL_T1), &reply);
    if (r == 0)
        r = apdu_authenticate_parse(&reply, ret);
    card_close(&card);
    return r;
}

int usim_pcsc_new(UsimPcsc **ret, const char *reader) {
    _cleanup_(usim_pcsc_freep) UsimPcsc *u = calloc(1, sizeof *u);

    if (!u || !(u->reader = strdup(reader)))
        return -ENOMEM;
    *ret = TAKE_PTR(u);
    return 0;
}

void usim_pcsc_free(UsimPcsc *usim) {
    if (!usim)
        return;
    free(usim->reader);
    free(usim);
}

Usim usim_pcsc_driver(UsimPcsc *usim) {
    return (Usim){"pcsc", pcsc_identity, pcsc_authenticate, usim};
}
