/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the box starts with the factory data of its last start: who it is, and where it begins. */
#pragma once

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
