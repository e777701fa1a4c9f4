"""Words of the names scenario: common given names, and letters that mean nothing."""

COMMON_NAMES: tuple[str, ...] = tuple(
    """
    James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel
    Matthew Anthony Mark Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Edward
    Ronald Timothy Jason Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin
    Scott Brandon Benjamin Samuel Gregory Frank Alexander Raymond Patrick Jack Dennis Jerry Tyler
    Aaron Jose Adam Henry Nathan Douglas Zachary Peter Kyle
    """.split()
)
"""Sixty common English given names, each of one word."""

GIBBERISH: tuple[str, ...] = tuple(
    """
    dkxbcv jwbv bckkc cvkbw fxxw wwkb bvdgk vcwgv cwwxf cvzcwb qxvkj wqjgfdz cwgvq zqgwcc djdqkbx
    vwjj wqwqcc qzxcbz xwxqgz xjbqjdw qbfg zfkkq dqkv dkvgzk xkfdcd fxfbq ggbdk wwjdzv qxvk
    kkcqxkb cfqdc wbcbwd jwbc wkdxg wjqccq qqgcdcz zgqzdv fvjd vgxc vjdjfv
    """.split()
)
"""Consonant strings: in the embedded model's vocabulary, and never seen before the relearning."""
