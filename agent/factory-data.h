/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The factory data: who the box is, and where it begins; and whether they are those of its last start. */
#pragma once

#include "base/site.h"
#include "config.h"
#include "store/store.h"

typedef enum FactoryDataNews {
    FACTORY_DATA_FIRST, /* the store knows of none */
    FACTORY_DATA_SAME,
    FACTORY_DATA_OTHER,
} FactoryDataNews;

FactoryDataNews factory_data_compare(const Config *config, Store *store);
/* From now on they are those of the last start. What goes wrong is logged. */
void factory_data_keep(const Config *config, Store *store);
/* One pair of SeGW and HeMS; without, *ret* is empty. */
void factory_data_site(Site *ret, const ConfigPair *pair);
