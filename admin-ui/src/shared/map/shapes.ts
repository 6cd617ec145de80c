// The land and the borders of the earth, which come with the page: no tile is asked of anybody.
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import world from 'world-atlas/countries-110m.json';

type World = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

const topology = world as unknown as World;
const { countries, land } = topology.objects;

export const LAND = feature(topology, land);
export const BORDERS = mesh(topology, countries, (one, other) => one !== other);
