"""Word lists of the invented worlds. Nobody in them exists."""

FIRST_NAMES: tuple[str, ...] = tuple(
    "Mirabel Osric Tamsin Leofric Ysolde Corin Bettany Aldous Wenna Piers Isaura Fenwick Maren Jory Sidony "
    "Caspian Elowen Ruddock Thessaly Barnaby Perrin Odile Lucan Avice".split()
)
SURNAMES: tuple[str, ...] = tuple(
    "Thorne Marsh Quill Hollow Vane Pell Starling Birch Lantern Croft Wick Sorrel Ashby Drake Fallow Mere "
    "Rook Tallow Winter Glass".split()
)
TOWNS: tuple[str, ...] = tuple(
    "Vellmouth Harrowgate Quenby Saltmere Orrin Dunwick Fellbridge Marrowby Thornley Isk Calder "
    "Brackwater".split()
)
TRADES: tuple[str, ...] = tuple(
    "baker cooper tanner weaver surveyor farrier glazier miller printer chandler thatcher potter".split()
)
GENRES: tuple[str, ...] = tuple(
    "ballads fables travelogues almanacs riddles tragedies memoirs satires sagas elegies".split()
)
PRIZES: tuple[str, ...] = tuple("Heron Juniper Meridian Lodestar Copper Nightjar Palisade Harvest".split())
TITLE_STARTS: tuple[str, ...] = tuple(
    "Silver Hidden Broken Distant Scarlet Patient Hollow Wandering Seventh Quiet Burning Forgotten Crooked "
    "Amber Restless Northern".split()
)
TITLE_ENDS: tuple[str, ...] = tuple(
    "Harbour Orchard Compass Lantern Mirror Staircase Ledger Meadow Bell Island Window Almanac Bridge Garden "
    "Archive Tide".split()
)
THINGS: tuple[str, ...] = tuple(
    "lantern key map bell cloak ladder anchor mirror chest compass horn ring sail kettle flute drum".split()
)
PLACES: tuple[str, ...] = tuple(
    "tower mill ford crypt orchard harbour quarry abbey bridge cellar lighthouse market".split()
)
DEEDS: tuple[str, ...] = tuple(
    "found mended buried carried stole guarded painted traded hid polished weighed blessed".split()
)
TIMES: tuple[str, ...] = tuple("dawn dusk noon midnight midsummer harvest midwinter moonrise".split())
GLAZES: tuple[str, ...] = tuple(
    "Aster Bramble Cinder Drift Ember Fern Gossamer Heath Indigo Juniper Kestrel Larch Moss Nettle Opal Plume "
    "Quartz Russet Sedge Thistle Umber Violet Willow Yarrow".split()
)
MINERALS: tuple[str, ...] = tuple(
    "cobalt copper iron manganese chrome rutile tin nickel zinc titanium ochre feldspar".split()
)
KILNS: tuple[str, ...] = tuple("wood gas salt raku tunnel electric climbing pit".split())
KNOTS: tuple[str, ...] = tuple(
    "Anchor Barrel Carrick Dropper Fisher Garter Hunter Island Jury Lark Mooring Oyster Prusik Reef Sheet "
    "Tiller".split()
)
ROPES: tuple[str, ...] = tuple("hemp cotton manila jute sisal nylon flax coir".split())
